import { setTimeout as sleep } from "node:timers/promises";
import { type Backoff, backoffMs } from "../process/backoff.ts";

/**
 * Does `work` until it succeeds. `backoffFor` says how to go on after a failure; undefined means
 * that trying again is of no use. When the tries are used up, the last failure is thrown.
 */
export async function retry<T>(
  backoffFor: (error: unknown) => Backoff | undefined,
  work: () => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      const backoff = backoffFor(error);
      if (backoff === undefined || attempt >= backoff.attempts) throw error;
      await sleep(backoffMs(backoff, attempt));
    }
  }
}
