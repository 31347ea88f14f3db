import type { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import type { BatchId, PartyId } from "../../unit/id.ts";
import { idSchema } from "../../unit/schema.ts";

/**
 * Acts that were signed together for a provider, kept as they are until it has them. A head alone
 * holds none: its first number is that of the act to come, and its last that of the one before.
 */
export interface ActsBatchRow {
  readonly batchId: BatchId;
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly jws: string;
}

export function insertActsBatch(db: DatabaseSync, providerId: PartyId, row: ActsBatchRow): void {
  db.prepare(
    `INSERT INTO capacity_acts_batch (batch_id, provider_id, first_seq, last_seq, jws)
     VALUES (?, ?, ?, ?, ?)`,
  ).run(row.batchId, providerId, row.firstSeq, row.lastSeq, row.jws);
}

/** Those that hold more than the provider has, in order. */
export function listActsBatches(
  db: DatabaseSync,
  providerId: PartyId,
  receiptedSeq: number,
): readonly ActsBatchRow[] {
  return db
    .prepare(
      `SELECT batch_id AS "batchId", first_seq AS "firstSeq", last_seq AS "lastSeq", jws
         FROM capacity_acts_batch WHERE provider_id = ? AND last_seq > ? AND first_seq <= last_seq
        ORDER BY first_seq`,
    )
    .all(providerId, receiptedSeq)
    .map((row) => rowSchema.parse({ ...row }));
}

export function findActsBatch(
  db: DatabaseSync,
  providerId: PartyId,
  batchId: BatchId,
): ActsBatchRow | null {
  const row = db
    .prepare(
      `SELECT batch_id AS "batchId", first_seq AS "firstSeq", last_seq AS "lastSeq", jws
         FROM capacity_acts_batch WHERE provider_id = ? AND batch_id = ?`,
    )
    .get(providerId, batchId);
  return row === undefined ? null : rowSchema.parse({ ...row });
}

/** Heads stay: one's own receipt may come behind another that covers as much. */
export function forgetActsBatches(db: DatabaseSync, providerId: PartyId, upToSeq: number): void {
  db.prepare(
    `DELETE FROM capacity_acts_batch
      WHERE provider_id = ? AND last_seq <= ? AND first_seq <= last_seq`,
  ).run(providerId, upToSeq);
}

/** A head and those that were signed before it. */
export function forgetHeads(db: DatabaseSync, providerId: PartyId, batchId: BatchId): void {
  db.prepare(
    `DELETE FROM capacity_acts_batch
      WHERE provider_id = ? AND first_seq > last_seq
        AND rowid <= (SELECT rowid FROM capacity_acts_batch WHERE batch_id = ?)`,
  ).run(providerId, batchId);
}

/** The provider has lost acts: what it lacks is signed anew, without a hole. */
export function forgetAllActsBatches(db: DatabaseSync, providerId: PartyId): void {
  db.prepare("DELETE FROM capacity_acts_batch WHERE provider_id = ? AND first_seq <= last_seq").run(
    providerId,
  );
}

const rowSchema = z.object({
  batchId: idSchema("batch"),
  firstSeq: z.number(),
  lastSeq: z.number(),
  jws: z.string(),
});
