import type { Kysely } from "kysely";
import type { DB } from "../../database/types.ts";
import { type CapacityChain, listCapacityChains } from "../../enablement/capacity/act-store.ts";
import { totalOf, usedBefore } from "../../meter/capacity-before.ts";
import {
  type Progress,
  readPeriodTotals,
  readProgress,
  readRange,
} from "../../meter/capacity-total-store.ts";
import type { UsedBefore } from "../../meter/check-capacity.ts";
import { milliCoreNs } from "../../meter/excess.ts";
import type { HashedRecord } from "../../meter/record.ts";

/**
 * What a partition had used before each of these new records of a chain, asked for in the order of
 * their numbers. By running totals where the records go on from the last; what comes between others
 * is looked at together with all of its period.
 */
export async function readBefore(
  tx: Kysely<DB>,
  chain: CapacityChain,
  progress: Progress,
  fresh: readonly HashedRecord[],
): Promise<(hashed: HashedRecord) => UsedBefore> {
  const { chainId, hostId } = chain;
  const earlier = (await listCapacityChains(tx, { hostId }))
    .filter((one) => one.actSeq < chain.actSeq)
    .filter(
      (one) =>
        one.partitionId === chain.partitionId &&
        one.mode === chain.mode &&
        one.providerPartyId === chain.providerPartyId,
    )
    .map((one) => one.chainId);
  const ended = [...(await readProgress(tx, earlier)).values()].every(
    ({ contiguousSeq, finalSeq }) => contiguousSeq === finalSeq,
  );
  const starts = fresh.flatMap(({ record }) => record.capacity?.period.start ?? []);
  const totals = await readPeriodTotals(tx, [...earlier, chainId], [...new Set(starts)]);
  const isAppended =
    progress.lastSeq === progress.contiguousSeq &&
    fresh.every(({ record }, index) => record.seq === progress.lastSeq + 1 + index);
  const firsts = totals.filter((one) => one.chainId === chainId).map((one) => one.firstSeq);
  const seqs = fresh.map(({ record }) => record.seq);
  const range = { fromSeq: Math.min(...seqs, ...firsts) - 1, toSeq: Math.max(0, ...seqs) };
  const known = isAppended || seqs.length === 0 ? [] : [...(await readRange(tx, chainId, range))];
  const appended = new Map<string, bigint>();
  return (hashed) => {
    const { record } = hashed;
    const key = totalOf(record);
    const same = totals.filter((one) => one.key === key);
    const before = same
      .filter((one) => one.chainId !== chainId)
      .reduce((sum, one) => sum + milliCoreNs(one.cpuNs), 0n);
    const own = same.find((one) => one.chainId === chainId);
    const inBatch = appended.get(key) ?? 0n;
    appended.set(key, inBatch + milliCoreNs(BigInt(record.cpuNs)));
    const threshold = same[0]?.threshold ?? null;
    if (isAppended) {
      const used = before + milliCoreNs(own?.cpuNs ?? 0n) + inBatch;
      return { used, isWhole: ended, threshold: threshold ?? statedIn(fresh, hashed) };
    }
    const among = usedBefore(record, known, []);
    known.push(hashed);
    return {
      used: before + among.used,
      isWhole: ended && among.isWhole,
      threshold: threshold ?? among.threshold,
    };
  };
}

/** By the records of the same total before it in its batch. */
function statedIn(fresh: readonly HashedRecord[], { record }: HashedRecord) {
  const first = fresh.find((one) => totalOf(one.record) === totalOf(record));
  return first?.record.capacity?.threshold ?? null;
}
