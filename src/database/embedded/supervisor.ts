import { setTimeout as sleep } from "node:timers/promises";
import { BACKOFF, backoffMs } from "../../process/backoff.ts";
import { errorFields } from "../failure.ts";
import type { DatabaseLog } from "../log.ts";
import { type Postmaster, type PostmasterPlan, startPostmaster } from "./postmaster.ts";

export interface Supervisor {
  readonly pid: number;
  stop(): Promise<void>;
}

/** A server that lived this long was well: earlier failures no longer count. */
const WELL_AFTER_MS = 60_000;

/** Starts PostgreSQL and starts it again whenever it dies, until `stop` or too many failures. */
export async function supervise(
  plan: PostmasterPlan,
  log: DatabaseLog,
  onGaveUp?: (error: Error) => void,
): Promise<Supervisor> {
  const stopping = new AbortController();
  let postmaster: Postmaster = await startPostmaster(plan);

  const keepRunning = async () => {
    let failures = 0;
    while (!stopping.signal.aborted) {
      const startedMs = performance.now();
      const how = await postmaster.exited;
      if (stopping.signal.aborted) return;
      log.warn({ pid: postmaster.pid, how }, "the embedded PostgreSQL died and is started again");
      failures = performance.now() - startedMs > WELL_AFTER_MS ? 1 : failures + 1;
      const next = await startAgain(plan, log, stopping.signal, failures);
      if (next === undefined) return;
      postmaster = next;
      log.info({ pid: postmaster.pid }, "the embedded PostgreSQL is back");
    }
  };
  const kept = keepRunning().catch((error: Error) => {
    log.error(errorFields(error), "the embedded PostgreSQL is not started again");
    onGaveUp?.(error);
  });
  return {
    get pid() {
      return postmaster.pid;
    },
    stop: async () => {
      stopping.abort();
      await postmaster.stop();
      await kept;
      await postmaster.stop();
    },
  };
}

/** Undefined when stopped meanwhile. Throws the last failure when the attempts are used up. */
async function startAgain(
  plan: PostmasterPlan,
  log: DatabaseLog,
  signal: AbortSignal,
  earlierFailures: number,
): Promise<Postmaster | undefined> {
  let attempt = earlierFailures;
  for (;;) {
    await waitMs(attempt === 1 ? 0 : backoffMs(BACKOFF.restart, attempt), signal);
    if (signal.aborted) return undefined;
    try {
      return await startPostmaster(plan);
    } catch (error) {
      attempt += 1;
      if (attempt > BACKOFF.restart.attempts) throw error;
      // The dead server's children may still be letting go of its shared memory.
      log.warn({ ...errorFields(error), attempt }, "the embedded PostgreSQL did not start");
    }
  }
}

async function waitMs(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch((error) => {
    if (!signal.aborted) throw error;
  });
}
