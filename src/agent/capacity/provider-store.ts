import type { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import type { PartyId } from "../../unit/id.ts";

/** Where this host stands with a provider. */
export interface ProviderRow {
  /** Acts up to this number are stored durably there. */
  readonly actsReceipted: number;
  /** Since when there is more without receipt than the codes allow; null: there is not. */
  readonly overdueSince: string | null;
  readonly usedUpSince: string | null;
  /** The last of its demands for a bill that a time to bill has answered; null: none. */
  readonly demandAnswered: string | null;
}

export function readProvider(db: DatabaseSync, providerId: PartyId): ProviderRow {
  const row = db.prepare("SELECT * FROM capacity_provider WHERE provider_id = ?").get(providerId);
  if (row === undefined) return NOTHING;
  const found = rowSchema.parse({ ...row });
  return {
    actsReceipted: found.acts_receipted,
    overdueSince: found.overdue_since,
    usedUpSince: found.used_up_since,
    demandAnswered: found.demand_answered,
  };
}

const NOTHING: ProviderRow = {
  actsReceipted: 0,
  overdueSince: null,
  usedUpSince: null,
  demandAnswered: null,
};

export function writeProvider(
  db: DatabaseSync,
  providerId: PartyId,
  change: Partial<ProviderRow>,
): void {
  const row = { ...readProvider(db, providerId), ...change };
  db.prepare(
    `INSERT OR REPLACE INTO capacity_provider
       (provider_id, acts_receipted, overdue_since, used_up_since, demand_answered)
     VALUES (?, ?, ?, ?, ?)`,
  ).run(providerId, row.actsReceipted, row.overdueSince, row.usedUpSince, row.demandAnswered);
}

export function forgetUsedUp(db: DatabaseSync, providerId: PartyId): void {
  writeProvider(db, providerId, { usedUpSince: null });
}

const rowSchema = z.object({
  acts_receipted: z.number(),
  overdue_since: z.string().nullable(),
  used_up_since: z.string().nullable(),
  demand_answered: z.string().nullable(),
});
