import { z } from "zod";
import { checkShape } from "../../partition/allocation.ts";
import { type Refusal, refusal } from "../../refusal/refusal.ts";
import { newId } from "../../unit/id.ts";
import { formatBytes, formatCpu } from "../../unit/quantity.ts";
import { cpuModeSchema, guestSizeSchema, nameText } from "../../unit/schema.ts";
import { fitsWithin, SIZE_ZERO, type Size, subtractSizes } from "../../unit/size.ts";
import type { AgentContext } from "../context.ts";
import { occupantOf } from "../lease/store.ts";
import {
  deletePartition,
  listPartitions,
  type PartitionAllocation,
  writePartition,
} from "./store.ts";

export const cutSchema = z.strictObject({
  size: guestSizeSchema,
  min: guestSizeSchema.optional(),
  max: guestSizeSchema.optional(),
  cpuMode: cpuModeSchema.optional(),
  lendable: z.boolean().optional(),
});
export type Cut = z.infer<typeof cutSchema>;

/**
 * Cuts a partition of a host without a server, on the spot. All of them together never have more
 * than the base, and none has less than its minimum: so the minimums never exceed it either.
 */
export function cutPartition(
  context: AgentContext,
  name: string,
  cut: Cut,
): PartitionAllocation | Refusal {
  const partitions = listPartitions(context.db);
  const before = partitions.find((partition) => partition.name === name);
  const refused = refuseCut(context, name, before, cut);
  if (refused !== null) return refused;
  const { facts, base } = context.capacity;
  const cpuMode = cut.cpuMode ?? before?.cpuMode ?? "dedicated";
  const shape = checkShape(cut.size, cpuMode, facts.sharedCpu);
  if (!shape.ok) return refusal("partition-shape", { code: shape.code, message: shape.message });
  const min = cut.min ?? before?.min ?? SIZE_ZERO;
  const max = cut.max ?? cut.size;
  if (!fitsWithin(min, cut.size) || !fitsWithin(cut.size, max)) {
    const message =
      "the size must lie between the minimum and the maximum; change one of them as well";
    return refusal("size-outside-limits", { message });
  }
  const others = partitions.filter((partition) => partition.name !== name);
  const free = others.reduce((rest, { size }) => subtractSizes(rest, size), base);
  if (!fitsWithin(cut.size, free)) {
    return refusal("capacity-exceeded", { host: context.host.hostName, free: freeText(free) });
  }
  const partition: PartitionAllocation = {
    partitionId: before?.partitionId ?? newId("partition", context.clock.now().getTime()),
    ...{ name, cpuMode, lendable: false, size: cut.size, min, max },
    ...{ generation: 1, standingSize: null, desiredSize: cut.size, desiredGeneration: 1 },
    isRemovalWanted: false,
  };
  writePartition(context.db, partition);
  context.log.info({ partition: name, size: cut.size }, "a partition is cut");
  return partition;
}

/** Null when it is gone. */
export function removeCut(context: AgentContext, name: string): Refusal | null {
  const found = listPartitions(context.db).find((partition) => partition.name === name);
  if (found === undefined) return refusal("not-found", { what: "partition", id: name });
  if (occupantOf(context.db, found.partitionId) !== null) {
    return refusal("partition-has-guest", { partition: name });
  }
  deletePartition(context.db, found.partitionId);
  context.log.info({ partition: name }, "a partition is removed");
  return null;
}

function refuseCut(
  context: AgentContext,
  name: string,
  before: PartitionAllocation | undefined,
  { size, lendable }: Cut,
): Refusal | null {
  const parsed = nameText.safeParse(name);
  if (!parsed.success) {
    const why = parsed.error.issues[0]?.message ?? "choose another name";
    return refusal("invalid-input", { message: `${name} cannot be a partition's name: ${why}` });
  }
  if (before !== undefined && occupantOf(context.db, before.partitionId) !== null) {
    return refusal("partition-has-guest", { partition: name });
  }
  if (lendable === true) {
    const instead = "join a server with another --data folder to lend what this computer has";
    return refusal("unsupported", { what: "lending by a host without a server", instead });
  }
  if (size.cpuMilli === 0 || size.memoryBytes === 0) {
    const message = "a partition needs some cpu and some memory; give both";
    return refusal("size-outside-limits", { message });
  }
  return null;
}

function freeText(free: Size): string {
  const { cpuMilli, memoryBytes, diskBytes } = free;
  return `${formatCpu(cpuMilli)} cores, ${formatBytes(memoryBytes)} of memory and ${formatBytes(diskBytes)} of disk`;
}
