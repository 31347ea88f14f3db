import { type Kysely, sql } from "kysely";
import type { DB } from "../../database/types.ts";
import {
  generateKey,
  importPublicKey,
  importSigningKey,
  type PublicJwk,
  type SigningKey,
} from "../../signature/key.ts";
import type { PartyId } from "../../unit/id.ts";

/** What a provider signs with; `all` is what its customers' hosts pin. */
export interface ProviderKeys {
  readonly current: SigningKey;
  readonly all: readonly PublicJwk[];
}

/** All that a provider has or had. */
export async function listProviderKeys(db: Kysely<DB>, partyId: PartyId): Promise<PublicJwk[]> {
  const rows = await db
    .selectFrom("providerKey")
    .select("publicJwk")
    .where("partyId", "=", partyId)
    .orderBy("createdAt")
    .execute();
  return rows.map((row) => importPublicKey(row.publicJwk));
}

/** Makes the first key when there is none; two calls at once make one. */
export async function ensureProviderKeys(
  tx: Kysely<DB>,
  partyId: PartyId,
  now: Date,
): Promise<ProviderKeys> {
  await sql`select pg_advisory_xact_lock(hashtext('provider_key'), hashtext(${partyId}))`.execute(
    tx,
  );
  const rows = await tx
    .selectFrom("providerKey")
    .selectAll()
    .where("partyId", "=", partyId)
    .orderBy("createdAt")
    .execute();
  const all = rows.map((row) => importPublicKey(row.publicJwk));
  const active = rows.findLast((row) => row.retiredAt === null);
  if (active) return { current: importSigningKey(active.privateJwk), all };
  const key = generateKey();
  await tx
    .insertInto("providerKey")
    .values({
      kid: key.kid,
      partyId,
      publicJwk: JSON.stringify(key.publicJwk),
      privateJwk: JSON.stringify(key.privateJwk),
      createdAt: now,
    })
    .execute();
  return { current: key, all: [...all, key.publicJwk] };
}
