import { type Backoff, backoffMs } from "./backoff.ts";
import type { Log } from "./log.ts";

export interface Loop {
  /** Runs the pass soon; once more after the present run, when one is under way. */
  wake(): void;
  /** Resolves when the present run has ended; none follows. */
  stop(): Promise<void>;
}

export interface LoopOptions {
  readonly name: string;
  /** Asked after each run. */
  readonly everyMs: () => number;
  readonly backoff: Backoff;
  readonly log: Log;
  /** A failure that is normal, such as a server that does not answer, is told once and quietly. */
  readonly isNormal?: (error: unknown) => boolean;
}

/** Runs a pass again and again. A pass that throws is told of and tried again, with back-off. */
export function startLoop(pass: () => Promise<void>, options: LoopOptions): Loop {
  let stopped = false;
  let woken = false;
  let failures = 0;
  let interrupt: (() => void) | null = null;
  const run = async () => {
    while (!stopped) {
      woken = false;
      const waitMs = await runOnce();
      if (!stopped && (!woken || failures > 0)) await pause(waitMs);
    }
  };
  const runOnce = async () => {
    try {
      await pass();
      if (failures > 0) options.log.info({ loop: options.name }, "works again");
      failures = 0;
      return options.everyMs();
    } catch (error) {
      failures += 1;
      tell(error);
      return backoffMs(options.backoff, failures);
    }
  };
  const tell = (error: unknown) => {
    if (stopped) return;
    const isNormal = options.isNormal?.(error) === true;
    if (!isNormal) options.log.error({ loop: options.name, err: error }, "a pass failed");
    else if (failures === 1) {
      const reason = error instanceof Error ? error.message : String(error);
      options.log.warn({ loop: options.name, reason }, "goes on without the server");
    }
  };
  const pause = (ms: number) =>
    new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      interrupt = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  const finished = run();
  return {
    wake() {
      woken = true;
      // While it fails, a hint must not turn the back-off into a storm.
      if (failures === 0) interrupt?.();
    },
    async stop() {
      stopped = true;
      interrupt?.();
      await finished;
    },
  };
}
