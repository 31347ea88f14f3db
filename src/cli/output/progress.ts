import type { Context } from "../context.ts";

/** Plain lines are not repeated more often than this. */
const PLAIN_EVERY_MS = 5_000;

/** What happens while one waits, on stderr: a line that changes on a terminal, lines elsewhere. */
export interface Progress {
  /** Something happened: a line that stays. */
  line(text: string): void;
  /** Something goes on: replaces the text of before. */
  update(text: string): void;
  done(): void;
}

/** Where somebody is asked something, what goes on would wipe the question away. */
const questioned = new WeakSet<Context["stderr"]>();

/** Until the function is called that this returns. */
export function withoutUpdates(stderr: Context["stderr"]): () => void {
  questioned.add(stderr);
  return () => void questioned.delete(stderr);
}

export function progress({ stderr, clock }: Pick<Context, "stderr" | "clock">): Progress {
  let shown = false;
  let plainAt = clock.now().getTime();
  const clear = () => {
    if (shown) stderr.write("\r\u001b[K");
    shown = false;
  };
  return {
    line(text) {
      clear();
      stderr.write(`${text}\n`);
    },
    update(text) {
      if (questioned.has(stderr)) return;
      if (stderr.isTTY) {
        stderr.write(`\r\u001b[K${text.slice(0, (stderr.columns ?? 80) - 1)}`);
        shown = true;
      } else if (clock.now().getTime() - plainAt >= PLAIN_EVERY_MS) {
        plainAt = clock.now().getTime();
        stderr.write(`${text}\n`);
      }
    },
    done: clear,
  };
}
