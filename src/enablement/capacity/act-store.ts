import { type Kysely, sql } from "kysely";
import type { DB } from "../../database/types.ts";
import type {
  BatchId,
  ChainId,
  CodeId,
  HostId,
  PartitionId,
  PartyId,
  ServiceId,
} from "../../unit/id.ts";
import type { CpuMode } from "../../unit/schema.ts";
import type { Act, ActsBatch, HashedAct } from "./act.ts";
import type { CapacityResource } from "./resource.ts";
import type { ActsHead } from "./set-back.ts";

/** What is stored under these numbers. */
export async function readActs(
  db: Kysely<DB>,
  hostId: HostId,
  seqs: readonly number[],
): Promise<ReadonlyMap<number, HashedAct>> {
  if (seqs.length === 0) return new Map();
  const rows = await db
    .selectFrom("capacityAct")
    .select(["seq", "hash", "act"])
    .where("hostId", "=", hostId)
    .where("seq", "in", seqs.map(BigInt))
    .execute();
  return new Map(rows.map((row) => [Number(row.seq), toHashed(row)]));
}

/** All of some kinds, in order, with when they came. */
export async function listActsOfKind(
  db: Kysely<DB>,
  hostId: HostId,
  kinds: readonly Act["act"]["kind"][],
): Promise<(HashedAct & { readonly receivedAt: Date })[]> {
  const rows = await db
    .selectFrom("capacityAct")
    .select(["seq", "hash", "act", "receivedAt"])
    .where("hostId", "=", hostId)
    .where("kind", "in", [...kinds])
    .orderBy("seq")
    .execute();
  return rows.map((row) => ({ ...toHashed(row), receivedAt: row.receivedAt }));
}

function toHashed({ hash, act }: { hash: string; act: unknown }): HashedAct {
  return { hash, record: act as Act };
}

/** Acts that are new, and the batch they came in; under the host's lock. */
export async function insertActs(
  tx: Kysely<DB>,
  input: { batch: ActsBatch; jws: string; acts: readonly HashedAct[]; now: Date },
): Promise<void> {
  const { batch, jws, acts, now } = input;
  const { batchId, hostId, head } = batch;
  await tx
    .insertInto("capacityActBatch")
    .values({
      ...{ batchId, hostId, jws, receivedAt: now },
      ...{ headSeq: BigInt(head.seq), headHash: head.hash, headAt: head.at, headRunNs: head.runNs },
    })
    .execute();
  if (acts.length === 0) return;
  await tx
    .insertInto("capacityAct")
    .values(
      acts.map(({ record, hash }) => ({
        ...{ hostId, seq: BigInt(record.seq), hash, batchId, receivedAt: now },
        kind: record.act.kind,
        act: JSON.stringify(record),
      })),
    )
    .execute();
  await sql`
    insert into capacity_chain (chain_id, host_id, act_seq, service_id, provider_party_id, code_id,
      partition_id, partition_name, mode, resource, quantity)
    select c.act #>> '{act,chainId}', c.host_id, c.seq, c.act #>> '{act,serviceId}',
      k.provider_party_id, k.code_id, c.act #>> '{act,partition,id}',
      c.act #>> '{act,partition,name}', s.act #>> '{act,mode}', s.act #>> '{act,resource}',
      (s.act #>> '{act,quantity}')::bigint
    from capacity_act c
    join capacity_act s on s.host_id = c.host_id and s.kind = 'service-begun'
      and s.act #>> '{act,serviceId}' = c.act #>> '{act,serviceId}'
    join capacity_code k on k.code_id = c.act #>> '{act,codeId}' and k.host_id = c.host_id
      and k.provider_party_id = s.act #>> '{act,providerId}'
    where c.host_id = ${hostId} and c.kind = 'chain-begun'
      and not exists (select 1 from capacity_chain x
        where x.host_id = c.host_id and x.act_seq = c.seq)
    order by c.seq
    on conflict do nothing`.execute(tx);
}

/** The text of a batch that came before. */
export async function findActsBatch(db: Kysely<DB>, batchId: BatchId): Promise<string | undefined> {
  const row = await db
    .selectFrom("capacityActBatch")
    .select("jws")
    .where("batchId", "=", batchId)
    .executeTakeFirst();
  return row?.jws;
}

/** Every act up to this number is there. */
export async function readContiguousAct(db: Kysely<DB>, hostId: HostId): Promise<number> {
  const { rows } = await sql<{ seq: bigint }>`
    select coalesce(max(seq), 0)::bigint as seq
    from (select seq, row_number() over (order by seq) as place
      from capacity_act where host_id = ${hostId}) numbered
    where seq = place`.execute(db);
  return Number(rows[0]?.seq ?? 0);
}

/** Numbers up to this one that lack, in order. */
export async function listMissingActs(
  db: Kysely<DB>,
  hostId: HostId,
  untilSeq: number,
): Promise<{ fromSeq: number; toSeq: number }[]> {
  const { rows } = await sql<{ before: bigint; seq: bigint }>`
    select before, seq from (
      select seq, lag(seq, 1, 0::bigint) over (order by seq) as before from (
        select seq from capacity_act where host_id = ${hostId} and seq <= ${untilSeq}
        union select ${untilSeq}::bigint + 1) there) numbered
    where seq > before + 1 order by seq`.execute(db);
  return rows.map(({ before, seq }) => ({ fromSeq: Number(before) + 1, toSeq: Number(seq) - 1 }));
}

/** The heads that the host has signed so far. */
export async function listHeads(db: Kysely<DB>, hostId: HostId): Promise<ActsHead[]> {
  const rows = await db
    .selectFrom("capacityActBatch")
    .select(["headSeq", "headHash", "headAt", "headRunNs"])
    .where("hostId", "=", hostId)
    .execute();
  return rows.map((row) => ({
    seq: Number(row.headSeq),
    hash: row.headHash,
    atMs: row.headAt.getTime(),
    runNs: BigInt(row.headRunNs),
  }));
}

/** The signed batches that hold acts up to a number. */
export async function listActsBatches(
  db: Kysely<DB>,
  hostId: HostId,
  untilSeq: number,
): Promise<string[]> {
  const rows = await db
    .selectFrom("capacityActBatch as b")
    .select("b.jws")
    .where("b.hostId", "=", hostId)
    .where("b.batchId", "in", (inner) =>
      inner
        .selectFrom("capacityAct")
        .select("batchId")
        .where("hostId", "=", hostId)
        .where("seq", "<=", BigInt(untilSeq)),
    )
    .orderBy("b.receivedAt")
    .orderBy("b.batchId")
    .execute();
  return rows.map(({ jws }) => jws);
}

/** A partition's meter of enabled capacity. */
export interface CapacityChain {
  readonly chainId: ChainId;
  readonly hostId: HostId;
  readonly actSeq: number;
  readonly serviceId: ServiceId;
  readonly providerPartyId: PartyId;
  readonly codeId: CodeId;
  readonly partitionId: PartitionId;
  readonly partitionName: string;
  readonly mode: CpuMode;
  readonly resource: CapacityResource;
  readonly quantity: number;
}

/** Of a host, in the order in which they began. */
export async function listCapacityChains(
  db: Kysely<DB>,
  of: { readonly hostId: HostId } | { readonly chainId: ChainId },
): Promise<CapacityChain[]> {
  const rows = await db
    .selectFrom("capacityChain")
    .selectAll()
    .where((eb) => ("hostId" in of ? eb("hostId", "=", of.hostId) : eb("chainId", "=", of.chainId)))
    .orderBy("actSeq")
    .execute();
  return rows.map((row) => ({
    chainId: row.chainId as ChainId,
    hostId: row.hostId as HostId,
    actSeq: Number(row.actSeq),
    serviceId: row.serviceId as ServiceId,
    providerPartyId: row.providerPartyId as PartyId,
    codeId: row.codeId as CodeId,
    partitionId: row.partitionId as PartitionId,
    partitionName: row.partitionName,
    mode: row.mode as CpuMode,
    resource: row.resource as CapacityResource,
    quantity: Number(row.quantity),
  }));
}
