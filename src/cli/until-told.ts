/** What a process of ours gives: a way to stop it, and a promise of its end by itself. */
export interface Running {
  stop(): Promise<unknown>;
  /** With its exit code. */
  readonly exit: Promise<number>;
}

/** Ctrl-C reaches this process twice, from the terminal and from the launcher. */
const SAME_WISH_MS = 1_000;

/**
 * Runs until SIGINT, SIGTERM or SIGHUP, then stops in order; another signal later ends at once.
 * Gives 0 when it was told to, its own exit code when it ended by itself.
 */
export async function untilTold(running: Running): Promise<number> {
  const told = Promise.withResolvers<0>();
  let toldAtMs: number | undefined;
  const handler = () => {
    toldAtMs ??= performance.now();
    if (performance.now() - toldAtMs > SAME_WISH_MS) process.exit(1);
    told.resolve(0);
  };
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  for (const signal of signals) process.on(signal, handler);
  try {
    const exitCode = await Promise.race([told.promise, running.exit]);
    await running.stop();
    return exitCode;
  } finally {
    for (const signal of signals) process.off(signal, handler);
  }
}
