import type { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import type { HashedRecord } from "../../meter/record.ts";
import { acknowledgedSeq } from "../../meter/spool-batch.ts";
import type { ChainId, LeaseId, PartitionId, PartyId, ServiceId } from "../../unit/id.ts";
import { idSchema } from "../../unit/schema.ts";
import type { Account } from "./used-up-store.ts";

/** One partition's meter of a service. */
export interface ChainRow {
  readonly chainId: ChainId;
  readonly serviceId: ServiceId;
  readonly providerId: PartyId;
  readonly partition: { readonly id: PartitionId; readonly name: string };
  /** Whose guest uses it, of a leased partition. */
  readonly leaseId: LeaseId | null;
  readonly isClosed: boolean;
  /** Of the last record: what was metered, and in how many nanoseconds. */
  readonly lastMetered: bigint;
  readonly lastElapsed: bigint;
  /** By the provider's clock, the latest of its receipts for it. */
  readonly receiptedAt: string | null;
  /** The last record that a receipt has ever covered. */
  readonly receiptedSeq: number;
}

export interface Period {
  readonly start: string;
  readonly end: string;
}

export function insertChain(
  db: DatabaseSync,
  chain: Pick<ChainRow, "chainId" | "serviceId" | "providerId" | "partition" | "leaseId">,
): void {
  const { chainId, serviceId, providerId, partition, leaseId } = chain;
  db.prepare(
    `INSERT INTO capacity_chain
       (chain_id, service_id, provider_id, partition_id, partition_name, lease_id)
     VALUES (?, ?, ?, ?, ?, ?)`,
  ).run(chainId, serviceId, providerId, partition.id, partition.name, leaseId);
}

export function listChains(db: DatabaseSync): readonly ChainRow[] {
  return db.prepare("SELECT * FROM capacity_chain ORDER BY rowid").all().map(parseRow);
}

export function listOpenChains(db: DatabaseSync): readonly ChainRow[] {
  return listChains(db).filter(({ isClosed }) => !isClosed);
}

/** What a record adds to what is unreported and unbilled. */
export function noteRecord(db: DatabaseSync, { record }: HashedRecord): void {
  const { capacity, chainId, seq } = record;
  if (capacity === undefined) throw new Error(`record ${seq} of ${chainId} is none of capacity`);
  const before = meteredSum(db, chainId, seq - 1);
  const { start, end } = capacity.period;
  const sum = before + BigInt(capacity.meteredQuantity);
  db.prepare(
    `INSERT INTO capacity_use (chain_id, seq, from_at, period_start, period_end, metered_sum)
     VALUES (?, ?, ?, ?, ?, ?)`,
  ).run(chainId, seq, record.from.at, start, end, `${sum}`);
  db.prepare(
    "UPDATE capacity_chain SET last_metered = ?, last_elapsed = ?, closed = ? WHERE chain_id = ?",
  ).run(capacity.meteredQuantity, record.elapsedNs, record.final ? 1 : 0, chainId);
}

/** Periods of a provider's records that no time to bill has named, oldest first. */
export function unbilledPeriods(db: DatabaseSync, providerId: PartyId): readonly Period[] {
  return db
    .prepare(
      `SELECT DISTINCT period_start AS start, period_end AS end
         FROM capacity_use JOIN capacity_chain USING (chain_id)
        WHERE billed = 0 AND provider_id = ? ORDER BY period_start, period_end`,
    )
    .all(providerId)
    .map((row) => periodRow.parse({ ...row }));
}

/** The chains with records of the period that are not billed, each with the last of them. */
export function unbilledHeads(db: DatabaseSync, providerId: PartyId, period: Period) {
  return db
    .prepare(
      `SELECT chain_id AS "chainId", max(seq) AS seq
         FROM capacity_use JOIN capacity_chain USING (chain_id)
        WHERE billed = 0 AND provider_id = ? AND period_start = ? AND period_end = ?
        GROUP BY chain_id ORDER BY chain_id`,
    )
    .all(providerId, period.start, period.end)
    .map((row) => headRow.parse({ ...row }));
}

export function markBilled(db: DatabaseSync, providerId: PartyId, period: Period): void {
  db.prepare(
    `UPDATE capacity_use SET billed = 1
      WHERE billed = 0 AND period_start = ? AND period_end = ?
        AND chain_id IN (SELECT chain_id FROM capacity_chain WHERE provider_id = ?)`,
  ).run(period.start, period.end, providerId);
}

/** What of a provider's resource no receipt covers: how much was metered, and since when. */
export function unreportedOf(
  db: DatabaseSync,
  { providerId, resource }: Account,
): { readonly quantity: bigint; readonly since: string | null } {
  let quantity = 0n;
  let since: string | null = null;
  const chains = db
    .prepare(
      `SELECT c.* FROM capacity_chain c JOIN capacity_service s USING (service_id)
        WHERE c.provider_id = ? AND s.resource = ?`,
    )
    .all(providerId, resource)
    .map(parseRow);
  for (const { chainId, receiptedSeq } of chains) {
    // What a provider has lost since is on its way again, and was reported in time.
    const receipted = Math.max(receiptedSeq, acknowledgedSeq(db, chainId));
    quantity += meteredSum(db, chainId, null) - meteredSum(db, chainId, receipted);
    const first = db
      .prepare("SELECT from_at FROM capacity_use WHERE chain_id = ? AND seq = ?")
      .get(chainId, receipted + 1);
    const at = first === undefined ? null : fromRow.parse({ ...first }).from_at;
    if (at !== null && (since === null || at < since)) since = at;
  }
  return { quantity, since };
}

/** A receipt was taken: of what instant of the provider's, and up to which record. */
export function noteReceipt(
  db: DatabaseSync,
  chainId: ChainId,
  { receiptedAt, receiptedSeq }: { readonly receiptedAt: string; readonly receiptedSeq: number },
): void {
  db.prepare(
    `UPDATE capacity_chain SET receipted_at = ?, receipted_seq = max(receipted_seq, ?)
      WHERE chain_id = ?`,
  ).run(receiptedAt, receiptedSeq, chainId);
}

/** Up to which record all were named by a time to bill and began before an instant; 0: none. */
export function settledSeq(db: DatabaseSync, chainId: ChainId, beforeAt: string): number {
  const row = db
    .prepare(
      `SELECT coalesce(min(seq) FILTER (WHERE billed = 0 OR from_at >= ?) - 1, max(seq), 0) AS seq
         FROM capacity_use WHERE chain_id = ?`,
    )
    .get(beforeAt, chainId);
  return seqRow.parse({ ...row }).seq;
}

/** The sums in later ones hold what these added. */
export function forgetUse(db: DatabaseSync, chainId: ChainId, upToSeq: number): void {
  db.prepare("DELETE FROM capacity_use WHERE chain_id = ? AND seq <= ?").run(chainId, upToSeq);
}

/** The last record of a chain that begins before an instant; 0: none does. */
export function lastSeqBefore(db: DatabaseSync, chainId: ChainId, at: string): number {
  const row = db
    .prepare(
      "SELECT coalesce(max(seq), 0) AS seq FROM capacity_use WHERE chain_id = ? AND from_at < ?",
    )
    .get(chainId, at);
  return seqRow.parse({ ...row }).seq;
}

/** By all records up to `seq`; null: by all that there are. */
function meteredSum(db: DatabaseSync, chainId: string, seq: number | null): bigint {
  const row = db
    .prepare(
      `SELECT metered_sum FROM capacity_use WHERE chain_id = ? AND seq <= coalesce(?, seq)
        ORDER BY seq DESC LIMIT 1`,
    )
    .get(chainId, seq);
  return row === undefined ? 0n : sumRow.parse({ ...row }).metered_sum;
}

const big = z.string().transform(BigInt);
const sumRow = z.object({ metered_sum: big });
const seqRow = z.object({ seq: z.number() });
const fromRow = z.object({ from_at: z.string() });
const periodRow = z.object({ start: z.string(), end: z.string() });
const headRow = z.object({ chainId: idSchema("chain"), seq: z.number() });
const rowSchema = z.object({
  chain_id: idSchema("chain"),
  service_id: idSchema("service"),
  provider_id: idSchema("party"),
  partition_id: idSchema("partition"),
  partition_name: z.string(),
  lease_id: idSchema("lease").nullable(),
  closed: z.number(),
  last_metered: big,
  last_elapsed: big,
  receipted_at: z.string().nullable(),
  receipted_seq: z.number(),
});

function parseRow(found: unknown): ChainRow {
  const row = rowSchema.parse(found);
  return {
    chainId: row.chain_id,
    serviceId: row.service_id,
    providerId: row.provider_id,
    partition: { id: row.partition_id, name: row.partition_name },
    leaseId: row.lease_id,
    isClosed: row.closed === 1,
    lastMetered: row.last_metered,
    lastElapsed: row.last_elapsed,
    receiptedAt: row.receipted_at,
    receiptedSeq: row.receipted_seq,
  };
}
