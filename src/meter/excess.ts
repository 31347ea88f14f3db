import type { Threshold } from "../enablement/capacity/terms.ts";

const MILLI_PER_CORE = 1000n;

/** Use of cpu time in the unit of quantities. */
export function milliCoreNs(cpuNs: bigint): bigint {
  return cpuNs * MILLI_PER_CORE;
}

/**
 * What a piece of shared use adds to the excess of its billing period. `usedBefore` is all use of
 * the partition in the same period before it, in milliCore-nanoseconds. Under an allowance the sum
 * over a period is max(0, use − allowance), however the use is cut into pieces. Under a rate each
 * piece is one interval and is compared by itself; one that is longer, because nobody read in
 * between, is compared on its average.
 */
export function excessAdded(
  threshold: Threshold,
  usedBefore: bigint,
  piece: { readonly cpuNs: bigint; readonly elapsedNs: bigint },
): bigint {
  const used = milliCoreNs(piece.cpuNs);
  if (threshold.kind === "rate") return above(used, BigInt(threshold.cpuMilli) * piece.elapsedNs);
  const allowance = BigInt(threshold.milliCoreNs);
  return above(usedBefore + used, allowance) - above(usedBefore, allowance);
}

function above(quantity: bigint, limit: bigint): bigint {
  return quantity > limit ? quantity - limit : 0n;
}

/** The default threshold: entitlement × period, or the entitlement as a rate. */
export function defaultAllowance(entitledMilli: number, periodMs: number): bigint {
  return BigInt(entitledMilli) * BigInt(periodMs) * 1_000_000n;
}
