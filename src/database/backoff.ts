export interface Backoff {
  readonly firstMs: number;
  readonly mostMs: number;
  readonly attempts: number;
}

/**
 * Every retry of the database code, in one table. `attempts` bounds the tries in all; a wait is
 * drawn from the upper half of its step so that many callers do not come back at the same instant.
 */
export const BACKOFF = {
  /** Conflicts between transactions clear in milliseconds; past 8 tries it is a design fault. */
  transaction: { firstMs: 5, mostMs: 500, attempts: 8 },
  /** About 30 s in all: longer than the embedded server's recovery has ever taken here. */
  connect: { firstMs: 50, mostMs: 2_000, attempts: 24 },
  /** A listener never gives up; the attempts only bound the growth of the wait. */
  listen: { firstMs: 50, mostMs: 5_000, attempts: Number.POSITIVE_INFINITY },
  /** PostgreSQL that dies again at once, ten times over, will not be helped by an eleventh start. */
  restart: { firstMs: 50, mostMs: 5_000, attempts: 10 },
} as const satisfies Record<string, Backoff>;

/** The wait before try number `attempt` + 1, for `attempt` counted from 1. */
export function backoffMs(backoff: Backoff, attempt: number, random = Math.random): number {
  const stepMs = Math.min(backoff.mostMs, backoff.firstMs * 2 ** Math.min(attempt - 1, 30));
  return stepMs * (0.5 + random() / 2);
}
