import { Option } from "commander";
import { verb } from "./verb.ts";

export const demoVerb = verb<{ keep?: true; data?: string }>({
  usage: "demo",
  summary: "Do the main job for real on this computer, and tell it as a story.",
  examples: ["sublet demo", "sublet demo --keep --data ./demo"],
  more: "With --json the last line of the story is one line of facts.",
  speaksAs: false,
  options: [
    new Option("--keep", "leave it running afterwards"),
    new Option("--data <folder>", "keep its data there"),
  ],
  run: async (context, { keep, data }) => {
    const { runDemo } = await import("./demo/main.ts");
    const exitCode = await runDemo({
      json: context.json,
      keep: keep ?? false,
      cacheFolder: context.environment.cacheFolder,
      ...(data === undefined ? {} : { dataFolder: data }),
    });
    return { json: undefined, text: "", exitCode };
  },
});
