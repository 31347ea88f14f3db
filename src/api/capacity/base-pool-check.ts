import type { Kysely } from "kysely";
import type { DB } from "../../database/types.ts";
import { type CapacityChain, listCapacityChains } from "../../enablement/capacity/act-store.ts";
import { readMostOfBase } from "../../host/store.ts";
import { totalOf } from "../../meter/capacity-before.ts";
import { readPeriodTotals } from "../../meter/capacity-total-store.ts";
import { milliCoreNs } from "../../meter/excess.ts";
import type { HashedRecord, UsageRecord } from "../../meter/record.ts";

/** What a host may give beyond, to partitions that come when all is given out (decision 46). */
const TOKENS = 1024n;

/**
 * Why a record's allowance is more than the host's base pool can have left, by what other partitions
 * are known to have used of theirs in its period; null: it is not.
 */
export async function readBasePoolCheck(
  tx: Kysely<DB>,
  chain: CapacityChain,
  fresh: readonly HashedRecord[],
): Promise<(record: UsageRecord) => string | null> {
  const { hostId, partitionId, providerPartyId } = chain;
  const most = await readMostOfBase(tx, hostId);
  if (chain.mode === "dedicated" || most === 0) return () => null;
  const others = (await listCapacityChains(tx, { hostId })).filter(
    (one) =>
      one.mode === "shared" &&
      one.providerPartyId === providerPartyId &&
      one.partitionId !== partitionId,
  );
  const starts = fresh.flatMap(({ record }) => record.capacity?.period.start ?? []);
  const chainIds = others.map(({ chainId }) => chainId);
  const totals = await readPeriodTotals(tx, chainIds, [...new Set(starts)]);
  const placeOf = new Map(others.map((one) => [one.chainId, one.partitionId]));
  return (record) => {
    const { threshold, period } = record.capacity ?? {};
    if (threshold?.kind !== "allowance" || !period) return null;
    const free = new Map<string, { used: bigint; most: bigint }>();
    for (const total of totals.filter(({ key }) => key === totalOf(record))) {
      if (total.threshold?.kind !== "allowance") continue;
      const place = placeOf.get(total.chainId) ?? "";
      const used = (free.get(place)?.used ?? 0n) + milliCoreNs(total.cpuNs);
      free.set(place, { used, most: BigInt(total.threshold.milliCoreNs) });
    }
    const taken = [...free.values()].reduce((sum, one) => sum + lesser(one.used, one.most), 0n);
    const lengthMs = Date.parse(period.end) - Date.parse(period.start);
    const pool = BigInt(most) * BigInt(lengthMs) * 1_000_000n + TOKENS;
    return taken + BigInt(threshold.milliCoreNs) <= pool
      ? null
      : "its allowance and what other partitions used of theirs are more than the base pool gives in the period";
  };
}

function lesser(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}
