import { Option } from "commander";
import { STORY_PARTS, type StoryPart } from "./demo/story-part.ts";
import { verb } from "./verb.ts";

export const demoVerb = verb<{ keep?: true; data?: string; only?: StoryPart }>({
  usage: "demo",
  summary: "Do the main job for real on this computer, and tell it as a story.",
  examples: ["sublet demo", "sublet demo --keep --data ./demo", "sublet demo --only standby"],
  more: "With --json the last line of the story is one line of facts.",
  speaksAs: false,
  options: [
    new Option("--keep", "leave it running afterwards"),
    new Option("--data <folder>", "keep its data there"),
    new Option("--only <part>", "of the story: computers lent, or a core in standby").choices(
      STORY_PARTS,
    ),
  ],
  run: async (context, { keep, data, only }) => {
    const { runDemo } = await import("./demo/main.ts");
    const exitCode = await runDemo({
      json: context.json,
      keep: keep ?? false,
      cacheFolder: context.environment.cacheFolder,
      ...(data === undefined ? {} : { dataFolder: data }),
      ...(only === undefined ? {} : { only }),
    });
    return { json: undefined, text: "", exitCode };
  },
});
