export interface Backoff {
  readonly firstMs: number;
  readonly mostMs: number;
}

/** Every retry of the agent, in one table. None of them ends: the agent outlives its server. */
export const BACKOFF = {
  /** Hosts in their hundreds come back after a server's restart: spread them over half a minute. */
  connect: { firstMs: 200, mostMs: 30_000 },
  enrol: { firstMs: 200, mostMs: 10_000 },
  /** Reports, usage, and desired state, while the server does not answer. */
  send: { firstMs: 200, mostMs: 30_000 },
  /** An effect on a lease that failed: a download, a boot, a wipe. */
  effect: { firstMs: 500, mostMs: 30_000 },
} as const satisfies Record<string, Backoff>;

/** Full jitter: anything between nothing and the step, which doubles with each failure from 1. */
export function backoffMs({ firstMs, mostMs }: Backoff, failures: number): number {
  return Math.random() * Math.min(mostMs, firstMs * 2 ** Math.min(failures, 30));
}
