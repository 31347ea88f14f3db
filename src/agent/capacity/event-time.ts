/** Where the time of events stands: a clock of this host that nobody can set. */
export interface EventTime {
  readonly bootId: string;
  readonly monotonicNs: bigint;
  /** For how long an agent has seen its clock run, over all boots. */
  readonly runNs: bigint;
  /** Nanoseconds since 1970. */
  readonly atNs: bigint;
}

export interface ClockNow {
  readonly bootId: string;
  readonly monotonicNs: bigint;
  /** The server's time where it is known, else the wall clock. */
  readonly nowMs: number;
}

/** More than a time service slews, and so little that a clock that was set is not followed. */
const SLEW_PARTS = 1_000n;

/**
 * The time of an event, for the edges of periods: within a boot it is carried on by the monotonic
 * clock and follows the wall clock by at most a thousandth, so that a clock that is set moves no
 * edge; at a boot it is the wall clock's. It never goes back by itself (clock-store.ts: by proof).
 */
export function eventTimeAt(before: EventTime | null, now: ClockNow): EventTime {
  const { bootId, monotonicNs } = now;
  const wallNs = BigInt(now.nowMs) * 1_000_000n;
  if (before === null) return { bootId, monotonicNs, runNs: 0n, atNs: wallNs };
  if (before.bootId !== bootId) {
    const atNs = wallNs > before.atNs ? wallNs : before.atNs;
    return { bootId, monotonicNs, runNs: before.runNs, atNs };
  }
  const passedNs = monotonicNs - before.monotonicNs;
  if (passedNs <= 0n) return before;
  const carried = before.atNs + passedNs;
  const mostNs = passedNs / SLEW_PARTS;
  const awayNs = wallNs - carried;
  const slewNs = awayNs > mostNs ? mostNs : awayNs < -mostNs ? -mostNs : awayNs;
  return { bootId, monotonicNs, runNs: before.runNs + passedNs, atNs: carried + slewNs };
}
