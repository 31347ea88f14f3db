import { ruleName } from "../enablement/capacity/terms.ts";
import type { UsedBefore } from "./check-capacity.ts";
import { milliCoreNs } from "./excess.ts";
import type { HashedRecord, UsageRecord } from "./record.ts";

/**
 * What a partition is known to have used by the record's provider, in its billing period and by its
 * rule of comparison, before it. `earlier` are the partition's chains of that provider that began
 * before the record's own, `own` what is known of that one.
 */
export function usedBefore(
  record: UsageRecord,
  own: readonly HashedRecord[],
  earlier: readonly (readonly HashedRecord[])[],
): UsedBefore {
  const key = totalOf(record);
  const isSame = (one: HashedRecord) => totalOf(one.record) === key;
  const before = own.filter((one) => one.record.seq < record.seq);
  const inPeriod = [...earlier.flat(), ...before].filter(isSame);
  const isWholeOwn = isRunUpTo(before, record.seq - 1, isSame);
  return {
    used: inPeriod.reduce((sum, one) => sum + milliCoreNs(BigInt(one.record.cpuNs)), 0n),
    isWhole: isWholeOwn && earlier.every(isEnded),
    threshold: [...inPeriod, ...own.filter(isSame)].at(0)?.record.capacity?.threshold ?? null,
  };
}

/** Records with the same make one total: the begin of their period, and by what rule they are compared. */
export function totalOf({ capacity }: UsageRecord): string {
  const rule = capacity?.threshold ? ruleName(capacity.threshold) : "";
  return `${new Date(capacity?.period.start ?? 0).toISOString()} ${rule}`;
}

/** Whether no record of the period lacks below and including `seq`. */
function isRunUpTo(
  records: readonly HashedRecord[],
  seq: number,
  isSame: (one: HashedRecord) => boolean,
): boolean {
  let next = seq;
  for (const one of records.toSorted((a, b) => b.record.seq - a.record.seq)) {
    if (one.record.seq !== next) return false;
    if (!isSame(one)) return true;
    next -= 1;
  }
  return next === 0;
}

function isEnded(chain: readonly HashedRecord[]): boolean {
  const last = chain.at(-1);
  return last?.record.final === true && last.record.seq === chain.length;
}
