import type { Logger } from "pino";

export interface Loop {
  /** Runs soon instead of at the next turn. */
  wake(): void;
  /** Returns when the pass that runs, if any, has ended. */
  stop(): Promise<void>;
}

/** A pass that keeps failing is tried again, but not so often that the log says nothing else. */
const FAILURE_PAUSE_MS_MAX = 30_000;

/**
 * Runs `pass` over and over, never twice at once: at once when woken, else every `everyMs`. What a
 * pass throws is logged and it is tried again; every pass can run twice.
 */
export function runLoop(
  name: string,
  pass: () => Promise<void>,
  { everyMs, log }: { everyMs: number; log: Logger },
): Loop {
  let stopped = false;
  let woken = true;
  let rouse: () => void = () => undefined;
  const sleep = (ms: number) =>
    new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      rouse = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  const run = async () => {
    let failures = 0;
    while (!stopped) {
      woken = false;
      try {
        await pass();
        failures = 0;
      } catch (error) {
        failures += 1;
        log.error({ err: error, loop: name, failures }, "a pass failed and will be tried again");
        await sleep(
          Math.min(everyMs * 2 ** failures, FAILURE_PAUSE_MS_MAX) * (0.5 + Math.random() / 2),
        );
      }
      if (!woken && !stopped) await sleep(everyMs);
    }
  };
  const running = run();
  return {
    wake: () => {
      woken = true;
      rouse();
    },
    stop: () => {
      stopped = true;
      rouse();
      return running;
    },
  };
}
