import type { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import { type Id, newId } from "../unit/id.ts";
import { idSchema } from "../unit/schema.ts";
import {
  type HashedRecord,
  hashedRecordSchema,
  type MeteredId,
  meteredIdSchema,
  type SeqRange,
  type UsageBatch,
  type UsageReceipt,
  usageRecordSchema,
} from "./record.ts";
import { inTransaction } from "./transaction.ts";

/** Some 150 kB as JWS: a batch fits every default limit on bodies, and a lost one costs little. */
export const RECORDS_PER_BATCH_MAX = 200;

export interface PendingBatch {
  readonly batchId: Id<"batch">;
  readonly chainId: MeteredId;
  readonly jws: string;
}

/**
 * What is to be sent, at most `limit`: the oldest batch of each chain, then the second of each, and
 * leases before capacity. Chains whose batches are refused take turns behind all others, so however
 * many they are, they keep none back. A batch is signed and stored before it is returned, and
 * returned unchanged until a receipt covers it: a repeat is the same text.
 */
export function pendingBatches(
  db: DatabaseSync,
  sign: (batch: UsageBatch) => string,
  { limit }: { readonly limit: number },
): readonly PendingBatch[] {
  return inTransaction(db, () => {
    for (const chainId of unbatchedChains(db)) {
      for (let room = limit - unackedBatches(db, chainId); room > 0; room--) {
        const records = unbatchedRecords(db, chainId);
        if (records.length === 0) break;
        storeBatch(db, records, sign);
      }
    }
    const rows = db
      .prepare(
        `SELECT batch_id AS "batchId", chain_id AS "chainId", jws
           FROM spool_batch LEFT JOIN spool_refused USING (chain_id)
          WHERE acked = 0
          ORDER BY turn IS NOT NULL,
                   row_number() OVER (PARTITION BY chain_id ORDER BY position),
                   chain_id NOT LIKE 'lease%', turn, position LIMIT ?`,
      )
      .all(limit);
    return rows.map((row) => pendingRow.parse({ ...row }));
  });
}

/**
 * What of some chains has no receipt, in the order in which it was signed, behind a position: the
 * pages of all that there is. Fewer than `limit`: these are the last.
 */
export function nextBatches(
  db: DatabaseSync,
  sign: (batch: UsageBatch) => string,
  page: { readonly chainIds: readonly string[]; readonly after: number; readonly limit: number },
): readonly (PendingBatch & { readonly position: number })[] {
  const { chainIds, after, limit } = page;
  const list = () =>
    db
      .prepare(
        `SELECT batch_id AS "batchId", chain_id AS "chainId", jws, position FROM spool_batch
          WHERE acked = 0 AND position > ? AND chain_id IN (SELECT value FROM json_each(?))
          ORDER BY position LIMIT ?`,
      )
      .all(after, JSON.stringify(chainIds), limit)
      .map((row) => positionedRow.parse({ ...row }));
  return inTransaction(db, () => {
    let room = limit - list().length;
    for (const chainId of chainIds) {
      for (; room > 0; room--) {
        const records = unbatchedRecords(db, chainId);
        if (records.length === 0) break;
        storeBatch(db, records, sign);
      }
    }
    return list();
  });
}

/** The chain's batch was not taken: all others go first. Tells whether that is new. */
export function noteRefused(db: DatabaseSync, chainId: string): boolean {
  return inTransaction(db, () => {
    const known = db.prepare("SELECT 1 FROM spool_refused WHERE chain_id = ?").get(chainId);
    db.prepare(
      `INSERT OR REPLACE INTO spool_refused (chain_id, turn)
       SELECT ?, coalesce(max(turn), 0) + 1 FROM spool_refused`,
    ).run(chainId);
    return known === undefined;
  });
}

export type Acknowledged =
  | { readonly ok: true; readonly newlyAcknowledged: number }
  | {
      readonly ok: false;
      readonly code: "unknown-chain" | "wrong-host" | "receipt-ahead";
      readonly message: string;
    };

/**
 * Takes a receipt whose signature the caller has verified. Records up to `contiguousSeq` need no
 * longer be sent; again, or older, it changes nothing. A receipt for more than was ever written
 * means that this spool was set back, for instance from a snapshot; it is refused by name.
 */
export function acknowledge(db: DatabaseSync, receipt: UsageReceipt): Acknowledged {
  const { chainId, contiguousSeq } = receipt;
  return inTransaction(db, () => {
    const found = db
      .prepare(`SELECT host_id, last_seq FROM meter_chain WHERE chain_id = ?`)
      .get(chainId);
    if (found === undefined) {
      return { ok: false, code: "unknown-chain", message: `${chainId} is not metered here` };
    }
    const chain = chainRow.parse(found);
    if (chain.host_id !== receipt.aud) {
      return { ok: false, code: "wrong-host", message: `the receipt is for ${receipt.aud}` };
    }
    if (contiguousSeq > chain.last_seq) {
      const message = `the receipt covers record ${contiguousSeq} of ${chainId}, but only ${chain.last_seq} were written here: was this agent's state set back?`;
      return { ok: false, code: "receipt-ahead", message };
    }
    const { changes } = db
      .prepare("UPDATE spool_record SET acked = 1 WHERE chain_id = ? AND seq <= ? AND acked = 0")
      .run(chainId, contiguousSeq);
    db.prepare(
      "UPDATE spool_batch SET acked = 1 WHERE chain_id = ? AND last_seq <= ? AND acked = 0",
    ).run(chainId, contiguousSeq);
    db.prepare("DELETE FROM spool_refused WHERE chain_id = ?").run(chainId);
    return { ok: true, newlyAcknowledged: Number(changes) };
  });
}

/** The last record of a chain that a receipt has covered; 0 when there is none. */
export function acknowledgedSeq(db: DatabaseSync, chainId: string): number {
  const statement = db.prepare(
    "SELECT coalesce(max(seq), 0) AS count FROM spool_record WHERE acked = 1 AND chain_id = ?",
  );
  return countRow.parse(statement.get(chainId)).count;
}

/** The server has been set back and lacks what is above `seq`: that is to be sent once more. */
export function sendAgain(db: DatabaseSync, chainId: string, seq: number): void {
  inTransaction(db, () => {
    db.prepare("UPDATE spool_record SET acked = 0 WHERE chain_id = ? AND seq > ?").run(
      chainId,
      seq,
    );
    db.prepare("UPDATE spool_batch SET acked = 0 WHERE chain_id = ? AND last_seq > ?").run(
      chainId,
      seq,
    );
  });
}

/**
 * The server lacks these numbers and asks for them. What is here of them is to be sent once more,
 * in the batches that it was in. Tells how many records that are, and how many are not here.
 */
export function sendMissing(
  db: DatabaseSync,
  chainId: string,
  missing: readonly SeqRange[],
): { readonly again: number; readonly lost: number } {
  return inTransaction(db, () => {
    let again = 0;
    let lost = 0;
    const there = "FROM spool_record WHERE chain_id = ? AND seq BETWEEN ? AND ?";
    for (const { fromSeq, toSeq } of missing) {
      const place = [chainId, fromSeq, toSeq] as const;
      const { count } = countRow.parse(
        db.prepare(`SELECT count(*) AS count ${there}`).get(...place),
      );
      lost += toSeq - fromSeq + 1 - count;
      again += Number(
        db
          .prepare(
            "UPDATE spool_record SET acked = 0 WHERE chain_id = ? AND seq BETWEEN ? AND ? AND acked = 1",
          )
          .run(...place).changes,
      );
      db.prepare(
        "UPDATE spool_batch SET acked = 0 WHERE chain_id = ? AND last_seq >= ? AND first_seq <= ?",
      ).run(...place);
    }
    return { again, lost };
  });
}

/** Records that no receipt covers yet: of one chain, or of all. */
export function unsentCount(db: DatabaseSync, chainId?: string): number {
  const statement = db.prepare(
    "SELECT count(*) AS count FROM spool_record WHERE acked = 0 AND chain_id = coalesce(?, chain_id)",
  );
  return countRow.parse(statement.get(chainId ?? null)).count;
}

/** Forgets the records of a chain that is closed and wholly with the server; else does nothing. */
export function pruneChain(db: DatabaseSync, chainId: string): void {
  inTransaction(db, () => {
    const chain = db.prepare("SELECT closed FROM meter_chain WHERE chain_id = ?").get(chainId);
    if (chain?.closed !== 1 || unsentCount(db, chainId) > 0) return;
    db.prepare("DELETE FROM spool_batch WHERE chain_id = ?").run(chainId);
    db.prepare("DELETE FROM spool_record WHERE chain_id = ?").run(chainId);
  });
}

/**
 * Forgets the oldest records of a chain, as far as `upToSeq` and as whole receipted batches go, with
 * their texts. Gives the last number that is gone, and how many records that were.
 */
export function pruneUpTo(
  db: DatabaseSync,
  chainId: string,
  upToSeq: number,
): { readonly seq: number; readonly count: number } {
  const unsent = db
    .prepare("SELECT min(seq) AS seq FROM spool_record WHERE chain_id = ? AND acked = 0")
    .get(chainId);
  const most = Math.min(
    upToSeq,
    (firstRow.parse({ ...unsent }).seq ?? Number.MAX_SAFE_INTEGER) - 1,
  );
  const batched = db
    .prepare(
      `SELECT max(last_seq) AS seq FROM spool_batch
        WHERE chain_id = ? AND acked = 1 AND last_seq <= ?`,
    )
    .get(chainId, most);
  const seq = firstRow.parse({ ...batched }).seq ?? 0;
  if (seq === 0) return { seq, count: 0 };
  db.prepare("DELETE FROM spool_batch WHERE chain_id = ? AND last_seq <= ?").run(chainId, seq);
  const gone = db
    .prepare("DELETE FROM spool_record WHERE chain_id = ? AND seq <= ?")
    .run(chainId, seq);
  return { seq, count: Number(gone.changes) };
}

const firstRow = z.object({ seq: z.number().nullable() });
const pendingRow = z.object({
  batchId: idSchema("batch"),
  chainId: meteredIdSchema,
  jws: z.string(),
});
const positionedRow = pendingRow.extend({ position: z.number().int() });
const chainRow = z.object({ host_id: z.string(), last_seq: z.number().int() });
const recordRow = z.object({ hash: z.string(), record: z.string() });

const countRow = z.object({ count: z.number() });
const chainIdRow = z.object({ chain_id: z.string() });

const BATCHED = `(SELECT coalesce(max(last_seq), 0) FROM spool_batch
                   WHERE spool_batch.chain_id = spool_record.chain_id)`;

/** Chains with records that are in no batch yet. */
function unbatchedChains(db: DatabaseSync): string[] {
  return db
    .prepare(
      `SELECT DISTINCT chain_id FROM spool_record WHERE acked = 0 AND seq > ${BATCHED}
        ORDER BY chain_id`,
    )
    .all()
    .map((row) => chainIdRow.parse({ ...row }).chain_id);
}

function unackedBatches(db: DatabaseSync, chainId: string): number {
  const statement = db.prepare(
    "SELECT count(*) AS count FROM spool_batch WHERE acked = 0 AND chain_id = ?",
  );
  return countRow.parse(statement.get(chainId)).count;
}

function unbatchedRecords(db: DatabaseSync, chainId: string): readonly HashedRecord[] {
  return db
    .prepare(
      `SELECT hash, record FROM spool_record
        WHERE chain_id = ? AND acked = 0 AND seq > ${BATCHED} ORDER BY seq LIMIT ?`,
    )
    .all(chainId, RECORDS_PER_BATCH_MAX)
    .map((row) => recordRow.parse({ ...row }))
    .map(({ hash, record }) =>
      hashedRecordSchema.parse({ hash, record: usageRecordSchema.parse(JSON.parse(record)) }),
    );
}

function storeBatch(
  db: DatabaseSync,
  records: readonly HashedRecord[],
  sign: (batch: UsageBatch) => string,
): void {
  const first = records[0]?.record;
  const last = records.at(-1)?.record;
  if (first === undefined || last === undefined) throw new Error("a batch has records");
  const batchId = newId("batch");
  const { hostId, chainId } = first;
  const jws = sign({ batchId, hostId, chainId, records: [...records] });
  db.prepare(
    `INSERT INTO spool_batch (batch_id, chain_id, first_seq, last_seq, jws)
     VALUES (?, ?, ?, ?, ?)`,
  ).run(batchId, chainId, first.seq, last.seq, jws);
}
