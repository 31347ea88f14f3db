import type { Threshold } from "../../enablement/capacity/terms.ts";
import type { PartitionId } from "../../unit/id.ts";
import { listPartitions } from "../allocation/store.ts";
import type { AgentContext } from "../context.ts";
import {
  listPeriodUses,
  type PeriodKey,
  type PeriodUse,
  thresholdSetAt,
} from "./threshold-store.ts";

/**
 * milliCore-nanoseconds of a period that are given to no partition by right: a partition that comes
 * when all is given out gets one of them, since a threshold is never zero. As many may come.
 */
const KEPT_BACK = 1024n;

/** The base less what partitions with dedicated cores have. */
export function basePoolMilli({ db, capacity }: AgentContext): number {
  const dedicated = listPartitions(db).filter((one) => one.cpuMode === "dedicated");
  return dedicated.reduce((rest, { size }) => rest - size.cpuMilli, capacity.base.cpuMilli);
}

/**
 * What a partition is given for a period that it has no threshold in yet: what it would have, and no
 * more than the base pool has left to give. Those that are there keep all of theirs, and what the
 * owner set goes before what nobody did; of a partition that was removed counts what it had used of
 * its own. So all thresholds of a period together never give more than the base pool does.
 */
export function givenOf(context: AgentContext, key: PeriodKey, wish: Threshold): Threshold {
  const { db } = context;
  const present = new Map(
    listPartitions(db)
      .filter((one) => one.cpuMode === "shared" && one.partitionId !== key.partitionId)
      .map(({ partitionId }) => [partitionId as string, partitionId]),
  );
  const uses = listPeriodUses(db, key).filter((one) => one.partitionId !== key.partitionId);
  const started = new Set<string>(uses.map(({ partitionId }) => partitionId));
  const waiting = [...present.values()].filter((partitionId) => !started.has(partitionId));
  const set = waiting.map((partitionId) => setFor(context, key, partitionId));
  if (wish.kind === "rate") {
    const rates = [...uses.filter((one) => present.has(one.partitionId)).map(thresholdOf), ...set];
    const taken = rates.reduce((sum, one) => sum + (one?.kind === "rate" ? one.cpuMilli : 0), 0);
    const left = basePoolMilli(context) - taken;
    return { ...wish, cpuMilli: Math.max(1, Math.min(wish.cpuMilli, left)) };
  }
  const lengthMs = Date.parse(key.end) - Date.parse(key.start);
  const pool = BigInt(Math.max(0, basePoolMilli(context))) * BigInt(lengthMs) * 1_000_000n;
  const ofStarted = uses.map((use) => takenBy(use, present.has(use.partitionId)));
  const ofWaiting = set.map((one) => (one?.kind === "allowance" ? BigInt(one.milliCoreNs) : 1n));
  const taken = [...ofStarted, ...ofWaiting].reduce((sum, one) => sum + one, 0n);
  const left = pool - KEPT_BACK - taken;
  const wanted = BigInt(wish.milliCoreNs);
  const most = left < 1n ? 1n : left;
  return { kind: "allowance", milliCoreNs: (most < wanted ? most : wanted).toString() };
}

function setFor({ db }: AgentContext, key: PeriodKey, partitionId: PartitionId): Threshold | null {
  const place = { providerId: key.providerId, partitionId };
  return thresholdSetAt(db, place, Date.parse(key.start), key.rule)?.threshold ?? null;
}

function thresholdOf({ threshold }: PeriodUse): Threshold {
  return threshold;
}

/** All of it while the partition is there; of one that is gone, what it used of it. */
function takenBy({ threshold, used }: PeriodUse, isPresent: boolean): bigint {
  if (threshold.kind !== "allowance") return 0n;
  const all = BigInt(threshold.milliCoreNs);
  return isPresent || used > all ? all : used;
}
