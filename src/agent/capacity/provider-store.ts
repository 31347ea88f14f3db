import type { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import type { PartyId } from "../../unit/id.ts";

/** Where this host stands with a provider. */
export interface ProviderRow {
  /** Acts up to this number are stored durably there. */
  readonly actsReceipted: number;
  /** Since when there is more without receipt than the codes allow; null: there is not. */
  readonly overdueSince: string | null;
}

export function readProvider(db: DatabaseSync, providerId: PartyId): ProviderRow {
  const row = db.prepare("SELECT * FROM capacity_provider WHERE provider_id = ?").get(providerId);
  if (row === undefined) return { actsReceipted: 0, overdueSince: null };
  const { acts_receipted, overdue_since } = rowSchema.parse({ ...row });
  return { actsReceipted: acts_receipted, overdueSince: overdue_since };
}

export function writeProvider(
  db: DatabaseSync,
  providerId: PartyId,
  change: Partial<ProviderRow>,
): void {
  const row = { ...readProvider(db, providerId), ...change };
  db.prepare(
    `INSERT OR REPLACE INTO capacity_provider
       (provider_id, acts_receipted, overdue_since) VALUES (?, ?, ?)`,
  ).run(providerId, row.actsReceipted, row.overdueSince);
}

const rowSchema = z.object({
  acts_receipted: z.number(),
  overdue_since: z.string().nullable(),
});
