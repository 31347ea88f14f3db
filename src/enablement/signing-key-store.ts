import { type Kysely, sql } from "kysely";
import type { DB } from "../database/types.ts";
import {
  generateKey,
  importPublicKey,
  importSigningKey,
  type PublicJwk,
  type SigningKey,
} from "../signature/key.ts";

/** The keys that this market's server signs with. They live in the database: any server signs. */
export interface ServerKeys {
  readonly current: SigningKey;
  /** Every key that ever signed, for those who verify what is old. */
  readonly all: readonly PublicJwk[];
}

/** Makes the first key when there is none; two servers that start at once make one. */
export async function ensureServerKeys(tx: Kysely<DB>, now: Date): Promise<ServerKeys> {
  await sql`select pg_advisory_xact_lock(hashtext('signing_key'))`.execute(tx);
  const rows = await tx.selectFrom("signingKey").selectAll().orderBy("createdAt").execute();
  const active = rows.findLast((row) => row.retiredAt === null);
  if (active) {
    return {
      current: importSigningKey(active.privateJwk),
      all: rows.map((row) => importPublicKey(row.publicJwk)),
    };
  }
  const key = generateKey();
  await tx
    .insertInto("signingKey")
    .values({
      kid: key.kid,
      publicJwk: JSON.stringify(key.publicJwk),
      privateJwk: JSON.stringify(key.privateJwk),
      createdAt: now,
    })
    .execute();
  return {
    current: key,
    all: [...rows.map((row) => importPublicKey(row.publicJwk)), key.publicJwk],
  };
}
