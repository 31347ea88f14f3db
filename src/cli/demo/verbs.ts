import { Writable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import type { Environment } from "../environment.ts";
import { run } from "../run.ts";
import { processSurroundings } from "../surroundings.ts";

/** What a verb answered with `--json`, or the code that it was refused with. */
export type Answer<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly code: string; readonly message: string };

export interface Verbs {
  /** Runs a verb as a person would, and reads its JSON. Waits for a server that is started again. */
  ask<T = unknown>(...argv: string[]): Promise<Answer<T>>;
  /** The same where a refusal is the end of the story. */
  do<T = unknown>(...argv: string[]): Promise<T>;
  /** Runs it with this terminal's own input and output; gives its exit code. */
  attached(...argv: string[]): Promise<number>;
}

/** How long a server that was killed may take to be there again. */
const AWAY_MS_MAX = 30_000;

/** `isOver`: nobody is waited for any more. */
export function createVerbs(environment: Environment, isOver = () => false): Verbs {
  const own = processSurroundings(environment);
  const once = async (argv: readonly string[]): Promise<Answer<never>> => {
    const stdout = collector();
    const stderr = collector();
    const exitCode = await run(withJson(argv), { ...own, stdout, stderr });
    const answer: unknown = parse(stdout.text());
    const error = (answer as { error?: { code: string; message: string } } | undefined)?.error;
    if (error) return { ok: false, ...error };
    if (answer === undefined) {
      return { ok: false, code: "no-answer", message: `${exitCode}: ${stderr.text().trim()}` };
    }
    return { ok: true, value: answer as never };
  };
  const ask: Verbs["ask"] = async (...argv) => {
    const sinceMs = performance.now();
    for (;;) {
      const answer = await once(argv);
      const away = !answer.ok && AWAY_CODES.has(answer.code);
      if (!away || isOver() || performance.now() - sinceMs > AWAY_MS_MAX) return answer;
      await sleep(300);
    }
  };
  return {
    ask,
    do: async (...argv) => {
      const answer = await ask(...argv);
      if (answer.ok) return answer.value as never;
      throw new Error(`sublet ${argv[0]} ${argv[1] ?? ""}: ${answer.message} (${answer.code})`);
    },
    attached: (...argv) => run(argv, own),
  };
}

/** Nobody answers, or it is only just starting. */
const AWAY_CODES = new Set(["server-unreachable", "answer-lost", "not-ready", "agent-not-running"]);

/** In front of the command that belongs to the guest. */
function withJson(argv: readonly string[]): string[] {
  const end = argv.indexOf("--");
  return end < 0 ? [...argv, "--json"] : [...argv.slice(0, end), "--json", ...argv.slice(end)];
}

function collector(): Writable & { text(): string } {
  const chunks: Buffer[] = [];
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      chunks.push(chunk);
      done();
    },
  });
  return Object.assign(stream, { text: () => Buffer.concat(chunks).toString("utf8") });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
