import type { Clock } from "../../src/unit/clock.ts";

export interface FakeClock extends Clock {
  /** Time passes: both clocks go on. */
  pass(ms: number): void;
  /** Somebody sets the wall clock. */
  stepWall(ms: number): void;
  /** The computer restarts: the monotonic clock begins anew. */
  reboot(): void;
}

export function createFakeClock(startMs = Date.parse("2027-01-31T08:00:00Z")): FakeClock {
  let wallMs = startMs;
  let monotonicNs = 1_000_000_000n;
  let boots = 1;
  return {
    now: () => new Date(wallMs),
    monotonicNs: () => monotonicNs,
    bootId: () => `boot-${boots}`,
    pass(ms) {
      wallMs += ms;
      monotonicNs += BigInt(ms) * 1_000_000n;
    },
    stepWall(ms) {
      wallMs += ms;
    },
    reboot() {
      boots += 1;
      monotonicNs = 5_000_000_000n;
    },
  };
}
