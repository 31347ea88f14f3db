import type { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import { type Id, newId } from "../unit/id.ts";
import { idSchema } from "../unit/schema.ts";
import {
  type HashedRecord,
  hashedRecordSchema,
  type UsageBatch,
  type UsageReceipt,
  usageRecordSchema,
} from "./record.ts";
import { inTransaction } from "./transaction.ts";

/** Some 150 kB as JWS: a batch fits every default limit on bodies, and a lost one costs little. */
export const RECORDS_PER_BATCH_MAX = 200;

/**
 * So many batches of one chain wait at once, and chains take turns: one that the server refuses for
 * good must not keep the others' records back. What follows is batched when these are taken.
 */
const PER_CHAIN_MAX = 10;

export interface PendingBatch {
  readonly batchId: Id<"batch">;
  readonly chainId: Id<"lease">;
  readonly jws: string;
}

/**
 * What is to be sent, each chain's oldest first, at most `limit`. A batch is signed and stored before it is
 * returned, and returned unchanged until a receipt covers it, so that a repeat is the same text.
 */
export function pendingBatches(
  db: DatabaseSync,
  sign: (batch: UsageBatch) => string,
  { limit }: { readonly limit: number },
): readonly PendingBatch[] {
  return inTransaction(db, () => {
    for (let made = 0; made < limit; made++) {
      const records = firstUnbatchedRecords(db);
      if (records === null) break;
      storeBatch(db, records, sign);
    }
    const rows = db
      .prepare(
        `SELECT batch_id AS "batchId", chain_id AS "chainId", jws
           FROM (SELECT *, row_number() OVER (PARTITION BY chain_id ORDER BY position) AS place
                   FROM spool_batch WHERE acked = 0)
          WHERE place <= ? ORDER BY place, position LIMIT ?`,
      )
      .all(PER_CHAIN_MAX, limit);
    return rows.map((row) => pendingRow.parse({ ...row }));
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
    return { ok: true, newlyAcknowledged: Number(changes) };
  });
}

/** Records that no receipt covers yet: of one chain, or of all. */
export function unsentCount(db: DatabaseSync, chainId?: Id<"lease">): number {
  const unsent = "SELECT count(*) AS count FROM spool_record WHERE acked = 0";
  return chainId === undefined
    ? count(db, unsent)
    : count(db, `${unsent} AND chain_id = ?`, chainId);
}

/** The last record of a chain that a receipt has covered; 0 when there is none. */
export function acknowledgedSeq(db: DatabaseSync, chainId: Id<"lease">): number {
  const sql =
    "SELECT coalesce(max(seq), 0) AS count FROM spool_record WHERE acked = 1 AND chain_id = ?";
  return count(db, sql, chainId);
}

/** The server has been set back and lacks what is above `seq`: that is to be sent once more. */
export function sendAgain(db: DatabaseSync, chainId: Id<"lease">, seq: number): void {
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

const pendingRow = z.object({
  batchId: idSchema("batch"),
  chainId: idSchema("lease"),
  jws: z.string(),
});
const chainRow = z.object({ host_id: z.string(), last_seq: z.number().int() });
const recordRow = z.object({ hash: z.string(), record: z.string() });

function count(db: DatabaseSync, sql: string, ...values: string[]): number {
  return z.object({ count: z.number() }).parse(db.prepare(sql).get(...values)).count;
}

/** Of one chain, in order, those that no stored batch holds; null when there are none. */
function firstUnbatchedRecords(db: DatabaseSync): readonly HashedRecord[] | null {
  const unbatched = `
    acked = 0 AND seq > (SELECT coalesce(max(last_seq), 0) FROM spool_batch
                          WHERE spool_batch.chain_id = spool_record.chain_id)
    AND (SELECT count(*) FROM spool_batch WHERE acked = 0
          AND spool_batch.chain_id = spool_record.chain_id) < ${PER_CHAIN_MAX}`;
  const rows = db
    .prepare(
      `SELECT hash, record FROM spool_record
        WHERE ${unbatched}
          AND chain_id = (SELECT min(chain_id) FROM spool_record WHERE ${unbatched})
        ORDER BY seq LIMIT ?`,
    )
    .all(RECORDS_PER_BATCH_MAX)
    .map((row) => recordRow.parse(row));
  if (rows.length === 0) return null;
  return rows.map(({ hash, record }) =>
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
