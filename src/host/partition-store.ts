import { type Kysely, type RawBuilder, sql } from "kysely";
import type { DB } from "../database/types.ts";
import { refusal } from "../refusal/refusal.ts";
import {
  type HostId,
  type LeaseId,
  newId,
  type OfferId,
  type PartitionId,
  type PartyId,
} from "../unit/id.ts";
import type { CpuMode } from "../unit/schema.ts";
import type { Size } from "../unit/size.ts";

/** A logical partition as the resource database knows it. */
export interface Partition {
  readonly partitionId: PartitionId;
  readonly name: string;
  readonly hostId: HostId;
  readonly hostName: string;
  readonly lenderPartyId: PartyId;
  readonly lendable: boolean;
  readonly cpuMode: CpuMode;
  /** Made at a booking, for that lease alone. */
  readonly carved: boolean;
  /** What is allocated to it at present: its reservation in force. */
  readonly size: Size;
  readonly standingSize: Size;
  readonly min: Size;
  readonly max: Size;
  readonly generation: bigint;
  /** The lease that freezes it, from `preparing` until the wipe receipt. */
  readonly inUse: { readonly leaseId: LeaseId; readonly until: Date } | null;
  readonly offerId: OfferId | null;
}

export interface PartitionSetting {
  readonly lendable: boolean;
  readonly cpuMode: CpuMode;
  readonly size: Size;
  readonly min: Size;
  readonly max: Size;
}

/** Partitions that are not removed and meet `where`, by host and name. */
export async function listPartitions(
  db: Kysely<DB>,
  where: { hostId?: HostId; lenderPartyId?: PartyId; name?: string },
  now: Date,
): Promise<Partition[]> {
  const conditions: RawBuilder<unknown>[] = [sql`p.removed_at is null`];
  if (where.hostId) conditions.push(sql`p.host_id = ${where.hostId}`);
  if (where.lenderPartyId) conditions.push(sql`h.lender_party_id = ${where.lenderPartyId}`);
  if (where.name) conditions.push(sql`p.name = ${where.name}`);
  const { rows } = await sql<PartitionRow>`
    select p.*, h.name as host_name, h.lender_party_id,
      coalesce(r.cpu_milli, p.cpu_milli) as present_cpu_milli,
      coalesce(r.memory_bytes, p.memory_bytes) as present_memory_bytes,
      coalesce(r.disk_bytes, p.disk_bytes) as present_disk_bytes,
      l.lease_id as in_use_lease_id, upper(l.period) as in_use_until, o.offer_id
    from partition p
    join host h using (host_id)
    left join reservation r on r.partition_id = p.partition_id and r.period @> ${now}::timestamptz
    left join lease l on l.partition_id = p.partition_id
      and l.state in ('preparing', 'ready', 'ending')
    left join offer o on o.partition_id = p.partition_id and o.withdrawn_at is null
    where ${sql.join(conditions, sql` and `)}
    order by h.name, p.name`.execute(db);
  return rows.map(toPartition);
}

export async function getPartition(
  db: Kysely<DB>,
  host: { hostId: HostId; name: string },
  name: string,
  now: Date,
): Promise<Partition> {
  const [partition] = await listPartitions(db, { hostId: host.hostId, name }, now);
  if (!partition) throw refusal("not-found", { what: "partition", id: `${host.name}/${name}` });
  return partition;
}

/** Makes or changes a partition; its reservations are the caller's next step. */
export async function upsertPartition(
  tx: Kysely<DB>,
  at: { hostId: HostId; name: string; now: Date },
  setting: PartitionSetting,
): Promise<PartitionId> {
  const columns = {
    lendable: setting.lendable,
    cpuMode: setting.cpuMode,
    cpuMilli: setting.size.cpuMilli,
    memoryBytes: setting.size.memoryBytes,
    diskBytes: setting.size.diskBytes,
    minCpuMilli: setting.min.cpuMilli,
    minMemoryBytes: setting.min.memoryBytes,
    minDiskBytes: setting.min.diskBytes,
    maxCpuMilli: setting.max.cpuMilli,
    maxMemoryBytes: setting.max.memoryBytes,
    maxDiskBytes: setting.max.diskBytes,
  };
  const row = await tx
    .insertInto("partition")
    .values({
      partitionId: newId("partition", at.now.getTime()),
      hostId: at.hostId,
      name: at.name,
      createdAt: at.now,
      ...columns,
    })
    .onConflict((conflict) =>
      conflict
        .columns(["hostId", "name"])
        .where("removedAt", "is", null)
        .doUpdateSet({ ...columns, generation: sql`partition.generation + 1` }),
    )
    .returning("partitionId")
    .executeTakeFirstOrThrow();
  return row.partitionId as PartitionId;
}

/** Names that begin so are the server's own. */
export const CARVED_PREFIX = "carved-";

export function carvedName(partitionId: PartitionId): string {
  return CARVED_PREFIX + partitionId.slice(-10);
}

/** A partition for one lease, of exactly its size; without a standing reservation. */
export async function insertCarvedPartition(
  tx: Kysely<DB>,
  { partitionId, hostId, cpuMode, name }: Partition,
  size: Size,
  now: Date,
): Promise<void> {
  await tx
    .insertInto("partition")
    .values({
      ...{ partitionId, hostId, cpuMode, name, lendable: true, carved: true, createdAt: now },
      ...size,
      // No minimum of its own: what is promised to it is its lease's reservation.
      ...{ minCpuMilli: 0, minMemoryBytes: 0, minDiskBytes: 0 },
      maxCpuMilli: size.cpuMilli,
      maxMemoryBytes: size.memoryBytes,
      maxDiskBytes: size.diskBytes,
    })
    .execute();
}

export async function markPartitionRemoved(
  tx: Kysely<DB>,
  partitionId: PartitionId,
  now: Date,
): Promise<void> {
  await tx
    .updateTable("partition")
    .set({ removedAt: now })
    .where("partitionId", "=", partitionId)
    .execute();
}

export async function bumpPartitionGeneration(
  tx: Kysely<DB>,
  partitionId: PartitionId,
): Promise<void> {
  await tx
    .updateTable("partition")
    .set({ generation: sql`generation + 1` })
    .where("partitionId", "=", partitionId)
    .execute();
}

/** Carved ones come and go: an agent that was away for so long has long forgotten their leases. */
const CARVED_REMOVED_DAYS = 30;

export async function listRemovedPartitionIds(
  db: Kysely<DB>,
  hostId: HostId,
  now: Date,
): Promise<PartitionId[]> {
  const recently = new Date(now.getTime() - CARVED_REMOVED_DAYS * 86_400_000);
  const rows = await db
    .selectFrom("partition")
    .select("partitionId")
    .where("hostId", "=", hostId)
    .where("removedAt", "is not", null)
    .where((either) =>
      either.or([either("carved", "=", false), either("removedAt", ">", recently)]),
    )
    .execute();
  return rows.map((row) => row.partitionId as PartitionId);
}

interface PartitionRow {
  partitionId: string;
  name: string;
  hostId: string;
  hostName: string;
  lenderPartyId: string;
  lendable: boolean;
  cpuMode: string;
  carved: boolean;
  cpuMilli: number;
  memoryBytes: bigint;
  diskBytes: bigint;
  minCpuMilli: number;
  minMemoryBytes: bigint;
  minDiskBytes: bigint;
  maxCpuMilli: number;
  maxMemoryBytes: bigint;
  maxDiskBytes: bigint;
  presentCpuMilli: number;
  presentMemoryBytes: bigint;
  presentDiskBytes: bigint;
  generation: bigint;
  inUseLeaseId: string | null;
  inUseUntil: Date | null;
  offerId: string | null;
}

function toPartition(row: PartitionRow): Partition {
  const size = (cpuMilli: number, memoryBytes: bigint, diskBytes: bigint): Size => ({
    cpuMilli,
    memoryBytes: Number(memoryBytes),
    diskBytes: Number(diskBytes),
  });
  return {
    partitionId: row.partitionId as PartitionId,
    name: row.name,
    hostId: row.hostId as HostId,
    hostName: row.hostName,
    lenderPartyId: row.lenderPartyId as PartyId,
    lendable: row.lendable,
    cpuMode: row.cpuMode as CpuMode,
    carved: row.carved,
    size: size(row.presentCpuMilli, row.presentMemoryBytes, row.presentDiskBytes),
    standingSize: size(row.cpuMilli, row.memoryBytes, row.diskBytes),
    min: size(row.minCpuMilli, row.minMemoryBytes, row.minDiskBytes),
    max: size(row.maxCpuMilli, row.maxMemoryBytes, row.maxDiskBytes),
    generation: row.generation,
    inUse:
      row.inUseLeaseId && row.inUseUntil
        ? { leaseId: row.inUseLeaseId as LeaseId, until: row.inUseUntil }
        : null,
    offerId: row.offerId as OfferId | null,
  };
}
