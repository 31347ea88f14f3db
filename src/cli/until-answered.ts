import { setTimeout as systemSleep } from "node:timers/promises";
import type { Context } from "./context.ts";
import { CliError } from "./failure.ts";

/** Pauses between attempts: a server that restarts is back within seconds. */
const PAUSES_MS = [200, 500, 1_000, 2_000];

/**
 * Repeats a request that carries its own id while nobody answers: it may have been done or not,
 * and a repeat cannot do it twice. `again` is what to type when there is still no answer.
 */
export async function untilAnswered<T>(
  { sleep = systemSleep }: Pick<Context, "sleep">,
  request: () => Promise<T>,
  about: { readonly again: string; readonly id: string },
): Promise<T> {
  for (const pauseMs of [...PAUSES_MS, null]) {
    try {
      return await request();
    } catch (error) {
      if (!isUnanswered(error)) throw error;
      if (pauseMs === null) {
        throw new CliError(
          "answer-lost",
          `${error.message}; it may have been done or not: repeat it safely with \`${about.again}\``,
          { id: about.id },
        );
      }
      await sleep(pauseMs);
    }
  }
  throw new Error("unreachable");
}

/** By its code, so that nothing of the client is loaded for it. */
export function isUnanswered(error: unknown): error is Error {
  return error instanceof Error && (error as { code?: unknown }).code === "server-unreachable";
}
