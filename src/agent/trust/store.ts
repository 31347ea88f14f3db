import type { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import type { TrustedProvider } from "../../enablement/capacity/trust.ts";
import { importPublicKey } from "../../signature/key.ts";
import { idSchema } from "../../unit/schema.ts";

/** A provider whose keys are pinned here. */
export interface PinnedProvider extends TrustedProvider {
  /** Its codes count. Otherwise only its receipts do, for what its codes were used for before. */
  readonly isTrusted: boolean;
}

/** In the order in which they were pinned first. */
export function listPinned(db: DatabaseSync): readonly PinnedProvider[] {
  return db
    .prepare("SELECT * FROM trusted_provider ORDER BY trusted_at, provider_id")
    .all()
    .map((found) => {
      const row = rowSchema.parse({ ...found });
      const isTrusted = row.untrusted_at === null;
      return { providerId: row.provider_id, name: row.name, keys: row.keys, isTrusted };
    });
}

export function readPinned(db: DatabaseSync, providerId: string): PinnedProvider | null {
  return listPinned(db).find((one) => one.providerId === providerId) ?? null;
}

/** May its codes enable anything? */
export function isTrusted(db: DatabaseSync, providerId: string): boolean {
  return readPinned(db, providerId)?.isTrusted === true;
}

/** When it was trusted first stays; that it was untrusted does not. */
export function writeTrusted(db: DatabaseSync, provider: TrustedProvider, at: string): void {
  db.prepare(
    `INSERT INTO trusted_provider (provider_id, name, keys, trusted_at) VALUES (?, ?, ?, ?)
     ON CONFLICT (provider_id) DO UPDATE SET name = excluded.name, keys = excluded.keys,
       untrusted_at = NULL`,
  ).run(provider.providerId, provider.name, JSON.stringify(provider.keys), at);
}

export function writeUntrusted(db: DatabaseSync, providerId: string, at: string): void {
  db.prepare("UPDATE trusted_provider SET untrusted_at = ? WHERE provider_id = ?").run(
    at,
    providerId,
  );
}

const rowSchema = z.object({
  provider_id: idSchema("party"),
  name: z.string(),
  keys: z
    .string()
    .transform((text) => z.array(z.unknown()).parse(JSON.parse(text)).map(importPublicKey)),
  untrusted_at: z.string().nullable(),
});
