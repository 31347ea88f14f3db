import type { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import type { PartyId } from "../../unit/id.ts";

/** Where this host stands with a provider. */
export interface ProviderRow {
  /** Acts up to this number are stored durably there. */
  readonly actsReceipted: number;
  /** The last of its demands for a bill that a time to bill has answered; null: none. */
  readonly demandAnswered: string | null;
  /** By the provider's clock, the latest of its receipts for acts. */
  readonly receiptedAt: string | null;
  /** By this host's, when it last showed the provider the head of its acts. */
  readonly headAt: string | null;
}

export function readProvider(db: DatabaseSync, providerId: PartyId): ProviderRow {
  const row = db
    .prepare(
      `SELECT acts_receipted AS "actsReceipted", receipted_at AS "receiptedAt",
              head_at AS "headAt", demand_answered AS "demandAnswered"
         FROM capacity_provider WHERE provider_id = ?`,
    )
    .get(providerId);
  return row === undefined ? UNKNOWN : rowSchema.parse({ ...row });
}

const UNKNOWN: ProviderRow = {
  ...{ actsReceipted: 0, receiptedAt: null, headAt: null, demandAnswered: null },
};

export function writeProvider(
  db: DatabaseSync,
  providerId: PartyId,
  change: Partial<ProviderRow>,
): void {
  const row = { ...readProvider(db, providerId), ...change };
  db.prepare(
    `INSERT OR REPLACE INTO capacity_provider
       (provider_id, acts_receipted, receipted_at, head_at, demand_answered)
     VALUES (?, ?, ?, ?, ?)`,
  ).run(providerId, row.actsReceipted, row.receiptedAt, row.headAt, row.demandAnswered);
}

const rowSchema = z.object({
  actsReceipted: z.number(),
  receiptedAt: z.string().nullable(),
  headAt: z.string().nullable(),
  demandAnswered: z.string().nullable(),
});
