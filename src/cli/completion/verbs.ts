import { Argument } from "commander";
import type { AgentState } from "../../agent/show-state.ts";
import { callAgentSocket } from "../agent-socket.ts";
import { listProfiles } from "../config/profile.ts";
import { connect } from "../connect.ts";
import type { CommonOptions, Context } from "../context.ts";
import { type Kind, type Known, listKnown } from "../naming/known.ts";
import { verb } from "../verb.ts";
import { completionAt, type Wanted, type Word } from "./complete.ts";
import { SCRIPTS, SHELLS, type Shell } from "./scripts.ts";

/** A person waits at the tab key. */
const ANSWER_WITHIN_MS = 2_000;

export const completionVerb = verb<{ shell: Shell }>({
  usage: "completion",
  summary: "Print what makes a shell complete verbs, options, names and ids.",
  examples: [
    "sublet completion bash >> ~/.bashrc",
    "sublet completion zsh >> ~/.zshrc",
    "sublet completion fish > ~/.config/fish/completions/sublet.fish",
  ],
  more: "Names and ids are asked of the server at each tab, briefly; without it there are none.",
  speaksAs: false,
  arguments: [new Argument("<shell>", "which shell").choices(SHELLS)],
  run: async (_, { shell }) => ({ json: { shell, script: SCRIPTS[shell] }, text: SCRIPTS[shell] }),
});

/** What the scripts call. It never complains: a complaint would land in somebody's line. */
export const completeVerb = verb<{ words: string[] }>({
  usage: "__complete [words...]",
  summary: "What may come next, for the scripts of `sublet completion`.",
  examples: ["sublet __complete -- lease show lease_"],
  hidden: true,
  passThrough: true,
  takesAnything: true,
  run: async (context, { words: given }) => {
    const words = joined(given[0] === "--" ? given.slice(1) : given);
    const typed = words.length > 0 ? words : [""];
    const found = await candidates(context, typed).catch(() => []);
    const text = found.map(({ text, about }) => (about ? `${text}\t${about}` : text)).join("\n");
    return { json: found, text };
  },
});

/** bash takes `--os=small` for three words. */
function joined(words: readonly string[]): string[] {
  const result: string[] = [];
  for (const word of words) {
    const before = result.at(-1);
    if (before?.startsWith("--") && (word === "=" || before.endsWith("="))) {
      result[result.length - 1] = before + word;
    } else result.push(word);
  }
  return result;
}

async function candidates(context: Context, typed: readonly string[]): Promise<readonly Word[]> {
  // The tree of all verbs is made of this one too: by import it would be a circle.
  const { buildProgram } = await import("../program.ts");
  const program = buildProgram({ surroundings: context, argv: typed, exitCode: 0, json: false });
  const { withDefaultVerb } = await import("../default-verb.ts");
  // The word under the cursor may yet become a verb.
  const wanted = completionAt(program, [
    ...withDefaultVerb(typed.slice(0, -1)),
    typed.at(-1) ?? "",
  ]);
  if (wanted.kind === "shell") return [{ text: ":files", about: "" }];
  const common = { ...context.common, ...speaker(typed) };
  const words = await wordsFor({ ...context, common }, wanted, typed);
  const current = (typed.at(-1) ?? "").replace(/^--[a-z-]+=/, "");
  const found = words.filter(({ text }) => text.startsWith(current));
  const isFile = wanted.kind === "known" && OR_FILE.includes(wanted.of) && found.length === 0;
  return isFile ? [{ text: ":files", about: "" }] : found;
}

/** What may be given by its id or in a file. */
const OR_FILE: readonly Kind[] = ["request", "code"];

/** What was typed behind a flag, before the word that is being typed. */
function behind(typed: readonly string[], flag: string): string | undefined {
  const at = typed.indexOf(flag);
  const next = at < 0 || at + 1 >= typed.length - 1 ? undefined : typed[at + 1];
  const joinedTo = typed.find((word) => word.startsWith(`${flag}=`));
  return next ?? joinedTo?.slice(flag.length + 1);
}

/** Those of the line that is being typed: whose names they are depends on who asks. */
function speaker(typed: readonly string[]): CommonOptions {
  const [as, server, key] = ["--as", "--server", "--key"].map((flag) => behind(typed, flag));
  return { ...(as ? { as } : {}), ...(server ? { server } : {}), ...(key ? { key } : {}) };
}

async function wordsFor(
  context: Context,
  wanted: Wanted,
  typed: readonly string[],
): Promise<readonly Word[]> {
  if (wanted.kind === "words") return wanted.words;
  if (wanted.kind === "profiles") {
    const names = await listProfiles(context.environment.configFolder);
    return names.map((text) => ({ text, about: "" }));
  }
  if (wanted.kind !== "known") return [];
  const agent = behind(typed, "--agent");
  if (agent !== undefined) return wanted.of === "partition" ? partitionsAt(agent) : [];
  // What takes this program's own time to load is not the server's silence.
  await import("../../api/client/client.ts");
  const silent = new Promise<readonly Known[]>((done) => {
    setTimeout(() => done([]), ANSWER_WITHIN_MS).unref();
  });
  const ask = async () => listKnown((await connect(context)).client, wanted.of);
  const known = await Promise.race([ask(), silent]);
  return known.flatMap((one) => {
    const text = one.name ?? one.id ?? "";
    if (wanted.of !== "partition") return [{ text, about: one.about }];
    const [host, name = ""] = text.split("/");
    return wanted.host === undefined || wanted.host === host ? [{ text: name, about: text }] : [];
  });
}

/** A command for an agent means its own partitions. */
async function partitionsAt(agent: string): Promise<readonly Word[]> {
  const state = await callAgentSocket(agent, "GET", "/v1/state", undefined, ANSWER_WITHIN_MS);
  return (state as AgentState).partitions.map(({ name, cpuMode }) => ({
    text: name,
    about: cpuMode,
  }));
}
