import { readFileSync } from "node:fs";

/** The one place where time comes from. Decisions receive values; only passes hold a clock. */
export interface Clock {
  /** Wall time, UTC. May step. */
  now(): Date;
  /** CLOCK_MONOTONIC in nanoseconds: the same for every process of one boot of this machine. */
  monotonicNs(): bigint;
  /** Names this boot; monotonic instants of two boots cannot be compared. */
  bootId(): string;
}

/** A clock that also counts the time in which the computer slept. */
export interface SourceClock extends Clock {
  /** CLOCK_BOOTTIME in milliseconds, to a hundredth of a second. */
  sinceBootMs(): number;
}

export const systemClock: SourceClock = {
  now: () => new Date(),
  monotonicNs: () => process.hrtime.bigint(),
  bootId: () => readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim(),
  sinceBootMs: () => Number.parseFloat(readFileSync("/proc/uptime", "utf8")) * 1000,
};
