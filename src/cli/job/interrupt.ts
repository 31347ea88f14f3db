import { createInterface } from "node:readline";
import { Option } from "commander";
import type { Context } from "../context.ts";

/** What is to become of the lease. */
export type Wish = "end" | "leave";

export function interruptOption(): Option {
  return new Option(
    "--on-interrupt <what>",
    "on Ctrl-C or a signal: end the lease, or leave it; without it a terminal is asked, else it ends",
  ).choices(["end", "leave"]);
}

const NUMBERS = { SIGINT: 2, SIGTERM: 15, SIGHUP: 1 } as const;
type Told = keyof typeof NUMBERS;
/** Ctrl-C reaches this process twice, from the terminal and from the launcher. */
const SAME_MS = 1_000;

export type Interruptible<T> =
  | { readonly interrupted: false; readonly value: T }
  | { readonly interrupted: true; readonly wish: Wish; readonly exitCode: number };

/**
 * Does the work, and gives up waiting for it when a person or a signal says so. What the work has
 * started hears of that by the abort; what it does afterwards counts for nothing.
 */
export async function interruptible<T>(
  context: Context,
  policy: Wish | undefined,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<Interruptible<T>> {
  const abort = new AbortController();
  const stopped = Promise.withResolvers<{ wish: Wish; told: Told }>();
  let toldAtMs = Number.NEGATIVE_INFINITY;
  let asking = false;
  const decide = async (told: Told) => {
    if (asking || performance.now() - toldAtMs < SAME_MS) return;
    const asks = told === "SIGINT" && policy === undefined && isAttended(context);
    asking = true;
    const wish = asks ? await ask(context) : (policy ?? "end");
    asking = false;
    toldAtMs = performance.now();
    if (wish !== null) stopped.resolve({ wish, told });
  };
  const handlers = (Object.keys(NUMBERS) as Told[]).map((told) => {
    const handler = () => void decide(told);
    process.on(told, handler);
    return () => void process.off(told, handler);
  });
  try {
    const working = work(abort.signal).then((value) => ({ value }));
    const first = await Promise.race([working, stopped.promise]);
    if ("value" in first) return { interrupted: false, value: first.value };
    abort.abort();
    // Its failure is the interruption.
    working.catch(() => undefined);
    return { interrupted: true, wish: first.wish, exitCode: 128 + NUMBERS[first.told] };
  } finally {
    for (const off of handlers) off();
  }
}

function isAttended({ stdin, stderr }: Context): boolean {
  return stdin.isTTY === true && stderr.isTTY === true;
}

/** Null: go on. Ctrl-C once more, or the end of the terminal, is the cheaper of the two. */
function ask({ stdin, stderr }: Context): Promise<Wish | null> {
  const terminal = createInterface({ input: stdin, output: stderr });
  return new Promise((resolve) => {
    const answer = (wish: Wish | null) => {
      resolve(wish);
      terminal.close();
    };
    terminal.once("SIGINT", () => answer("end"));
    terminal.once("close", () => resolve("end"));
    const question = "\ninterrupted: [e]nd the lease, [l]eave it running, or [c]ontinue? [e] ";
    terminal.question(question, (text) => {
      if (/^c/i.test(text.trim())) answer(null);
      else answer(/^l/i.test(text.trim()) ? "leave" : "end");
    });
  });
}
