import type { DatabaseSync } from "node:sqlite";
import type { OwnGrant } from "../../enablement/own-grant.ts";
import { baseCores } from "../../host/capacity.ts";
import { type HeldAllocation, type Placement, place, poolOf } from "../../partition/allocation.ts";
import { isEnding, type LeaseStage } from "../../partition/step.ts";
import { fitsWithin, type Size } from "../../unit/size.ts";
import { pooledCores } from "../capacity/service-store.ts";
import type { AgentContext } from "../context.ts";
import { changeLease, type LeaseRow, listLeases } from "../lease/store.ts";
import {
  deletePartition,
  listPartitions,
  type PartitionAllocation,
  readPartition,
  writePartition,
} from "./store.ts";

/**
 * Alters partitions to what the server last told, where no lease is in the way. A partition in use
 * stays as it is, whatever the server says (invariant 3): the agent knows by itself that it is.
 */
export function applyPartitions(context: AgentContext): void {
  const inUse = new Set<string>(
    listLeases(context.db)
      .filter(({ stage }) => stage !== "wiped")
      .map(({ partitionId }) => partitionId),
  );
  for (const partition of listPartitions(context.db)) {
    if (!inUse.has(partition.partitionId)) applyPartition(context, partition);
  }
}

function applyPartition({ db, log }: AgentContext, partition: PartitionAllocation): void {
  const { partitionId, name, desiredSize, desiredGeneration } = partition;
  if (partition.isRemovalWanted) {
    deletePartition(db, partitionId);
    log.info({ partition: name }, "a partition is removed");
  } else if (desiredGeneration > partition.generation) {
    writePartition(db, { ...partition, size: desiredSize, generation: desiredGeneration });
    log.info({ partition: name, size: desiredSize }, "a partition is set");
  }
}

/** Re-cuts the partition to its grant and chooses cores, in the caller's transaction. */
export function allocatePartition(
  context: AgentContext,
  leaseId: string,
  wanted: OwnGrant["partition"],
): Placement {
  const { db, capacity } = context;
  const partition = readPartition(db, wanted.partitionId);
  if (partition === null) throw new Error(`there is no partition ${wanted.partitionId}`);
  const leases = listLeases(db).filter((lease) => lease.leaseId !== leaseId);
  const others = listPartitions(db).filter((other) => other.partitionId !== wanted.partitionId);
  const held = others.map((other): HeldAllocation => {
    const holder = leases.find((l) => l.partitionId === other.partitionId && l.cores.length > 0);
    return {
      partitionId: other.partitionId,
      size: other.size,
      cpuMode: holder?.granted?.partition.cpuMode ?? other.cpuMode,
      cores: holder?.cores ?? [],
      isEnding: holder === undefined ? willShrink(other, leases) : isEnding(holder.stage),
    };
  });
  const { sharedCpu } = capacity.facts;
  const host = { cores: baseCores(capacity.facts), base: capacity.base, sharedCpu };
  const placement = place(wanted, host, held);
  if (placement.ok) {
    writePartition(db, {
      ...partition,
      size: wanted.size,
      standingSize: partition.size,
      generation: Math.max(partition.generation, partition.desiredGeneration),
    });
  }
  return placement;
}

/**
 * Whether the partition is about to be cut smaller: by a lease that was granted and is on its way,
 * or because the server has said so. The order in which grants arrive is not that of their work.
 */
function willShrink(partition: PartitionAllocation, leases: readonly LeaseRow[]): boolean {
  const isSmaller = (size: Size) => !fitsWithin(partition.size, size);
  if (partition.desiredGeneration > partition.generation && isSmaller(partition.desiredSize)) {
    return true;
  }
  return leases.some(
    ({ partitionId, stage, granted }) =>
      partitionId === partition.partitionId &&
      BEFORE_ALLOCATED.has(stage) &&
      (granted === null || isSmaller(granted.partition.size)),
  );
}

const BEFORE_ALLOCATED: ReadonlySet<LeaseStage> = new Set(["received", "accepted", "imaged"]);

/**
 * Keeps shared guests on the pool as dedicated ones come and go. A guest that a pass is at is left
 * to the next time, at most a second later.
 */
export async function keepPoolOnce(context: AgentContext): Promise<void> {
  const held = listLeases(context.db).flatMap(({ leaseId, granted, cores }) =>
    granted === null || cores.length === 0
      ? []
      : [{ leaseId, cores, cpuMode: granted.partition.cpuMode }],
  );
  // With the standby cores that a code has enabled for the pool.
  const pool = poolOf([...baseCores(context.capacity.facts), ...pooledCores(context.db)], held);
  for (const { leaseId, cpuMode, cores } of held) {
    if (cpuMode !== "shared" || String(cores) === String(pool) || pool.length === 0) continue;
    await context.turns.tryTake(leaseId, async () => {
      await context.driver.moveToCores(leaseId, pool);
      changeLease(context.db, leaseId, { cores: pool });
    });
  }
}

/** After the wipe the partition is what it was before the lease, until the server says otherwise. */
export function releasePartition(db: DatabaseSync, partitionId: string): void {
  const partition = readPartition(db, partitionId);
  if (partition === null) return;
  const size = partition.standingSize ?? partition.size;
  writePartition(db, { ...partition, size, standingSize: null });
}
