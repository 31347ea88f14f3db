import type { Reading } from "./reading.ts";

/** What happened between two readings. `0 ≤ deliveredNs ≤ elapsedNs`, always. */
export interface Usage {
  readonly elapsedNs: bigint;
  readonly deliveredNs: bigint;
  readonly cpuNs: bigint;
  /** Part of the time was not witnessed, and is therefore not delivered. */
  readonly gap: boolean;
}

/**
 * | between the readings                       | elapsed       | delivered | cpu          | gap |
 * |--------------------------------------------|---------------|-----------|--------------|-----|
 * | same boot, same process, both answered     | monotonic     | elapsed   | difference   | no  |
 * | same boot, either did not answer           | monotonic     | 0         | difference   | no  |
 * | same boot, another process                 | monotonic     | 0         | new counter  | no  |
 * | same boot, more than `gapAfterNs` apart    | monotonic     | 0         | as above     | yes |
 * | another boot                               | wall, ≥ 0     | 0         | new counter  | yes |
 *
 * What was not witnessed is not billed: an agent that was away cannot know that the guest answered.
 * The wall clock may step; inside a boot it is not looked at. Throws `BackwardReadingError` when a
 * counter that cannot fall has fallen: `next` was taken before `previous`, or a driver is wrong.
 */
export function usageBetween(
  previous: Reading,
  next: Reading,
  { gapAfterNs }: { readonly gapAfterNs: bigint },
): Usage {
  if (next.bootId !== previous.bootId) {
    const elapsedNs = wallNsBetween(previous, next);
    return { elapsedNs, deliveredNs: 0n, cpuNs: startedCpuNs(next), gap: true };
  }
  const elapsedNs = next.monotonicNs - previous.monotonicNs;
  if (elapsedNs < 0n) {
    throw new BackwardReadingError("monotonic-backwards", "monotonicNs", previous, next);
  }
  const sameProcess = next.processId !== null && next.processId === previous.processId;
  const cpuNs = sameProcess ? next.cpuNs - previous.cpuNs : startedCpuNs(next);
  if (cpuNs < 0n) throw new BackwardReadingError("cpu-backwards", "cpuNs", previous, next);
  const gap = elapsedNs > gapAfterNs;
  const delivered = sameProcess && previous.answered && next.answered && !gap;
  return { elapsedNs, deliveredNs: delivered ? elapsedNs : 0n, cpuNs, gap };
}

export type BackwardCode = "monotonic-backwards" | "cpu-backwards";

export class BackwardReadingError extends Error {
  override name = "BackwardReadingError";
  readonly code: BackwardCode;

  constructor(code: BackwardCode, counter: "monotonicNs" | "cpuNs", was: Reading, is: Reading) {
    super(`${counter} fell from ${was[counter]} to ${is[counter]} between two readings`);
    this.code = code;
  }
}

/** A process that was not there before began at zero; with none running there is nothing. */
function startedCpuNs(next: Reading): bigint {
  return next.processId === null ? 0n : next.cpuNs;
}

/** The nearest thing to a length that two boots have in common. */
function wallNsBetween(previous: Reading, next: Reading): bigint {
  const milliseconds = Date.parse(next.at) - Date.parse(previous.at);
  return milliseconds > 0 ? BigInt(milliseconds) * 1_000_000n : 0n;
}
