import type { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import type { PartitionId } from "../../unit/id.ts";
import { type CpuMode, cpuModeSchema, idSchema, sizeSchema } from "../../unit/schema.ts";
import type { Size } from "../../unit/size.ts";

/** What this host gives to a partition, on the agent's own record. */
export interface PartitionAllocation {
  readonly partitionId: PartitionId;
  readonly name: string;
  readonly cpuMode: CpuMode;
  readonly lendable: boolean;
  readonly size: Size;
  /** What a lease may re-cut it to. */
  readonly min: Size;
  readonly max: Size;
  /** The server's number of what was last applied, or superseded by a grant. */
  readonly generation: number;
  /** What it goes back to after its lease; null while none has re-cut it. */
  readonly standingSize: Size | null;
  readonly desiredSize: Size;
  readonly desiredGeneration: number;
  readonly isRemovalWanted: boolean;
}

export function listPartitions(db: DatabaseSync): readonly PartitionAllocation[] {
  return db.prepare("SELECT * FROM partition ORDER BY name").all().map(parseRow);
}

export function readPartition(db: DatabaseSync, partitionId: string): PartitionAllocation | null {
  const row = db.prepare("SELECT * FROM partition WHERE partition_id = ?").get(partitionId);
  return row === undefined ? null : parseRow(row);
}

export function writePartition(db: DatabaseSync, partition: PartitionAllocation): void {
  db.prepare(
    `INSERT OR REPLACE INTO partition
       (partition_id, name, cpu_mode, lendable, size, generation, standing_size, desired_size,
        desired_generation, removal_wanted, min_size, max_size)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  ).run(
    partition.partitionId,
    partition.name,
    partition.cpuMode,
    partition.lendable ? 1 : 0,
    JSON.stringify(partition.size),
    partition.generation,
    partition.standingSize === null ? null : JSON.stringify(partition.standingSize),
    JSON.stringify(partition.desiredSize),
    partition.desiredGeneration,
    partition.isRemovalWanted ? 1 : 0,
    JSON.stringify(partition.min),
    JSON.stringify(partition.max),
  );
}

export function deletePartition(db: DatabaseSync, partitionId: string): void {
  db.prepare("DELETE FROM partition WHERE partition_id = ?").run(partitionId);
}

const sizeText = z.string().transform((text) => sizeSchema.parse(JSON.parse(text)));
const rowSchema = z.object({
  partition_id: idSchema("partition"),
  name: z.string(),
  cpu_mode: cpuModeSchema,
  lendable: z.number(),
  size: sizeText,
  generation: z.number(),
  standing_size: sizeText.nullable(),
  desired_size: sizeText,
  desired_generation: z.number(),
  removal_wanted: z.number(),
  // Null in what an earlier version wrote: until the server tells, it is its present size.
  min_size: sizeText.nullable(),
  max_size: sizeText.nullable(),
});

function parseRow(found: unknown): PartitionAllocation {
  const row = rowSchema.parse(found);
  return {
    partitionId: row.partition_id,
    name: row.name,
    cpuMode: row.cpu_mode,
    lendable: row.lendable === 1,
    size: row.size,
    min: row.min_size ?? row.size,
    max: row.max_size ?? row.size,
    generation: row.generation,
    standingSize: row.standing_size,
    desiredSize: row.desired_size,
    desiredGeneration: row.desired_generation,
    isRemovalWanted: row.removal_wanted === 1,
  };
}
