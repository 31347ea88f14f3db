import type { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import type { TrustedProvider } from "../../enablement/capacity/trust.ts";
import { importPublicKey } from "../../signature/key.ts";
import { idSchema } from "../../unit/schema.ts";

export function listTrusted(db: DatabaseSync): readonly TrustedProvider[] {
  return db
    .prepare(
      "SELECT provider_id, name, keys FROM trusted_provider ORDER BY trusted_at, provider_id",
    )
    .all()
    .map((found) => {
      const row = rowSchema.parse(found);
      return { providerId: row.provider_id, name: row.name, keys: row.keys };
    });
}

/** When it was trusted first stays. */
export function writeTrusted(db: DatabaseSync, provider: TrustedProvider, at: string): void {
  db.prepare(
    `INSERT INTO trusted_provider (provider_id, name, keys, trusted_at) VALUES (?, ?, ?, ?)
     ON CONFLICT (provider_id) DO UPDATE SET name = excluded.name, keys = excluded.keys`,
  ).run(provider.providerId, provider.name, JSON.stringify(provider.keys), at);
}

const rowSchema = z.object({
  provider_id: idSchema("party"),
  name: z.string(),
  keys: z
    .string()
    .transform((text) => z.array(z.unknown()).parse(JSON.parse(text)).map(importPublicKey)),
});
