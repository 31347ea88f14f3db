export interface Backoff {
  readonly firstMs: number;
  readonly mostMs: number;
  /** Bounds the tries in all. */
  readonly attempts: number;
  /** How much of a wait is drawn by chance: all of it, or its upper half at the least. */
  readonly jitter: "full" | "half";
}

const FOR_EVER = Number.POSITIVE_INFINITY;

/** Every retry that there is, in one table. */
export const BACKOFF = {
  /** Conflicts between transactions clear in milliseconds; past 8 tries it is a design fault. */
  transaction: { firstMs: 5, mostMs: 500, attempts: 8, jitter: "half" },
  /** About 30 s in all: longer than the embedded server's recovery has ever taken here. */
  connect: { firstMs: 50, mostMs: 2_000, attempts: 24, jitter: "half" },
  /** A listener never gives up. */
  listen: { firstMs: 50, mostMs: 5_000, attempts: FOR_EVER, jitter: "half" },
  /** PostgreSQL that dies again at once, ten times over, will not be helped by an eleventh start. */
  restart: { firstMs: 50, mostMs: 5_000, attempts: 10, jitter: "half" },
  /** A pass of the server that failed. */
  pass: { firstMs: 1_000, mostMs: 30_000, attempts: FOR_EVER, jitter: "half" },
  /** Hosts in their hundreds come back after a server's restart: spread them over half a minute. */
  reconnect: { firstMs: 400, mostMs: 30_000, attempts: FOR_EVER, jitter: "full" },
  enrol: { firstMs: 400, mostMs: 10_000, attempts: FOR_EVER, jitter: "full" },
  /** An agent's reports, usage and desired state, while the server does not answer. */
  send: { firstMs: 400, mostMs: 30_000, attempts: FOR_EVER, jitter: "full" },
  /** An effect on a lease that failed: a download, a boot, a wipe. */
  effect: { firstMs: 1_000, mostMs: 30_000, attempts: FOR_EVER, jitter: "full" },
  /** A bill to its receiver: half a minute first, over about a day in all; then a person decides. */
  delivery: { firstMs: 30_000, mostMs: 21_600_000, attempts: 15, jitter: "half" },
} as const satisfies Record<string, Backoff>;

/** The wait after `failures` failures in a row, counted from 1. */
export function backoffMs(
  { firstMs, mostMs, jitter }: Pick<Backoff, "firstMs" | "mostMs" | "jitter">,
  failures: number,
  random = Math.random,
): number {
  const stepMs = Math.min(mostMs, firstMs * 2 ** Math.min(failures - 1, 30));
  return jitter === "full" ? stepMs * random() : stepMs * (0.5 + random() / 2);
}
