import { type Kysely, sql } from "kysely";
import type { DB } from "../database/types.ts";
import type { BatchId, HostId } from "../unit/id.ts";
import type { HashedRecord, MeteredId, SeqRange, UsageBatch, UsageRecord } from "./record.ts";

/** What is stored under these numbers. */
export async function readRecords(
  db: Kysely<DB>,
  chainId: MeteredId,
  seqs: readonly number[],
): Promise<ReadonlyMap<number, HashedRecord>> {
  if (seqs.length === 0) return new Map();
  const rows = await db
    .selectFrom("usageRecord")
    .select(["seq", "hash", "record"])
    .where("chainId", "=", chainId)
    .where("seq", "in", seqs.map(BigInt))
    .execute();
  return new Map(rows.map((row) => [Number(row.seq), toHashed(row)]));
}

/** A chain up to its final record, in order; all that is there when that is not known. */
export async function readChain(
  db: Kysely<DB>,
  chainId: MeteredId,
  seqFinal: bigint | null,
): Promise<HashedRecord[]> {
  const rows = await db
    .selectFrom("usageRecord")
    .select(["hash", "record"])
    .where("chainId", "=", chainId)
    .$if(seqFinal !== null, (query) => query.where("seq", "<=", seqFinal ?? 0n))
    .orderBy("seq")
    .execute();
  return rows.map(toHashed);
}

function toHashed({ hash, record }: { hash: string; record: unknown }): HashedRecord {
  return { hash, record: record as UsageRecord };
}

/** `records` are those of the batch that are new. */
export async function insertRecords(
  tx: Kysely<DB>,
  input: { batch: UsageBatch; jws: string; records: readonly HashedRecord[]; now: Date },
): Promise<void> {
  const { batch, jws, records, now } = input;
  await tx
    .insertInto("usageBatch")
    .values({
      batchId: batch.batchId,
      chainId: batch.chainId,
      hostId: batch.hostId,
      jws,
      receivedAt: now,
    })
    .execute();
  await tx
    .insertInto("usageRecord")
    .values(
      records.map(({ record, hash }) => ({
        chainId: record.chainId,
        seq: record.seq,
        hash,
        previousHash: record.previousHash,
        batchId: batch.batchId,
        record: JSON.stringify(record),
        fromAt: record.from.at,
        toAt: record.to.at,
        elapsedNs: record.elapsedNs,
        deliveredNs: record.deliveredNs,
        cpuNs: record.cpuNs,
        cpuMilli: record.size.cpuMilli,
        memoryBytes: record.size.memoryBytes,
        diskBytes: record.size.diskBytes,
        gap: record.gap,
        final: record.final,
      })),
    )
    .execute();
}

/** Every number up to this one is there. */
export async function readContiguousSeq(db: Kysely<DB>, chainId: MeteredId): Promise<number> {
  const { rows } = await sql<{ seq: bigint }>`
    select coalesce(max(seq), 0)::bigint as seq
    from (select seq, row_number() over (order by seq) as place
      from usage_record where chain_id = ${chainId}) numbered
    where seq = place`.execute(db);
  return Number(rows[0]?.seq ?? 0);
}

/** All numbers that are there, in order. */
export async function listSeqs(db: Kysely<DB>, chainId: MeteredId): Promise<number[]> {
  const rows = await db
    .selectFrom("usageRecord")
    .select("seq")
    .where("chainId", "=", chainId)
    .orderBy("seq")
    .execute();
  return rows.map(({ seq }) => Number(seq));
}

/** Numbers that lack below others that are there, or below the final one where that is known. */
export async function readMissing(
  db: Kysely<DB>,
  chainId: MeteredId,
  seqFinal: bigint | null,
): Promise<SeqRange[]> {
  const { rows } = await sql<{ before: bigint; seq: bigint }>`
    select before, seq from (
      select seq, lag(seq, 1, 0::bigint) over (order by seq) as before from (
        select seq from usage_record where chain_id = ${chainId}
          and seq <= coalesce(${seqFinal}::bigint, seq)
        union select ${seqFinal}::bigint + 1 where ${seqFinal}::bigint is not null) there) numbered
    where seq > before + 1 order by seq limit 100`.execute(db);
  return rows.map(({ before, seq }) => ({ fromSeq: Number(before) + 1, toSeq: Number(seq) - 1 }));
}

/** The signed batches of a chain up to a record, as the host sent them. */
export async function listBatches(
  db: Kysely<DB>,
  chainId: MeteredId,
  untilSeq: number,
): Promise<{ batchId: BatchId; hostId: HostId; jws: string }[]> {
  const rows = await db
    .selectFrom("usageBatch")
    .select(["batchId", "hostId", "jws"])
    .where("chainId", "=", chainId)
    .where("batchId", "in", (inner) =>
      inner
        .selectFrom("usageRecord")
        .select("batchId")
        .where("chainId", "=", chainId)
        .where("seq", "<=", BigInt(untilSeq)),
    )
    .orderBy("receivedAt")
    .orderBy("batchId")
    .execute();
  return rows.map(({ batchId, hostId, jws }) => ({
    batchId: batchId as BatchId,
    hostId: hostId as HostId,
    jws,
  }));
}
