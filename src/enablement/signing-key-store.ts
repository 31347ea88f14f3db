import { type Kysely, sql } from "kysely";
import type { DB } from "../database/types.ts";
import { refusal } from "../refusal/refusal.ts";
import { sign } from "../signature/envelope.ts";
import {
  generateKey,
  importPublicKey,
  importSigningKey,
  type PublicJwk,
  type SigningKey,
} from "../signature/key.ts";
import type { ServerKeyStatement } from "./server-key.ts";

/** The keys that this market's server signs with. They live in the database: any server signs. */
export interface ServerKeys {
  readonly current: SigningKey;
  /** Every key that ever signed, for those who verify what is old; the newest last. */
  readonly all: readonly PublicJwk[];
  /** The statements by which each let the next one in. */
  readonly successionJws: readonly string[];
}

/** Makes the first key when there is none; two servers that start at once make one. */
export async function ensureServerKeys(tx: Kysely<DB>, now: Date): Promise<ServerKeys> {
  await sql`select pg_advisory_xact_lock(hashtext('signing_key'))`.execute(tx);
  const before = await readServerKeys(tx);
  if (before) return before;
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
  return { current: key, all: [key.publicJwk], successionJws: [] };
}

/** Null before the first start. */
export async function readServerKeys(db: Kysely<DB>): Promise<ServerKeys | null> {
  const rows = await db
    .selectFrom("signingKey")
    .selectAll()
    .orderBy("createdAt")
    .orderBy("kid")
    .execute();
  const active = rows.find((row) => row.retiredAt === null);
  if (!active) return null;
  const retired = rows.filter((row) => row !== active);
  return {
    current: importSigningKey(active.privateJwk),
    all: [...retired, active].map((row) => importPublicKey(row.publicJwk)),
    successionJws: rows.flatMap(({ successionJws }) => successionJws ?? []),
  };
}

/** How the keys were let in, without their private halves: read with what they have signed. */
export async function listSuccessions(db: Kysely<DB>): Promise<readonly string[]> {
  const rows = await db
    .selectFrom("signingKey")
    .select("successionJws")
    .orderBy("createdAt")
    .execute();
  return rows.flatMap(({ successionJws }) => successionJws ?? []);
}

/**
 * A new key signs from now on, and the one named is retired. Asked again for the same one it answers
 * the keys as they are. Refuses: not-found when it never signed.
 */
export async function rotateServerKey(
  tx: Kysely<DB>,
  asked: { readonly serverId: string; readonly retireKid: string; readonly now: Date },
): Promise<{ keys: ServerKeys; rotated: boolean }> {
  const { serverId, retireKid, now } = asked;
  await sql`select pg_advisory_xact_lock(hashtext('signing_key'))`.execute(tx);
  const before = await readServerKeys(tx);
  if (!before) throw new Error("there is no signing key to retire");
  const { current } = before;
  if (current.kid !== retireKid) {
    if (before.all.some(({ kid }) => kid === retireKid)) return { keys: before, rotated: false };
    throw refusal("not-found", { what: "signing key", id: retireKid });
  }
  const next = generateKey();
  const statement: ServerKeyStatement = {
    iss: serverId,
    issuedAt: now.toISOString(),
    newJwk: { ...next.publicJwk },
  };
  await tx
    .updateTable("signingKey")
    .set({ retiredAt: now })
    .where("kid", "=", current.kid)
    .execute();
  await tx
    .insertInto("signingKey")
    .values({
      kid: next.kid,
      publicJwk: JSON.stringify(next.publicJwk),
      privateJwk: JSON.stringify(next.privateJwk),
      createdAt: now,
      successionJws: sign("sublet-server-key", statement, current),
    })
    .execute();
  const keys = await readServerKeys(tx);
  if (!keys) throw new Error("the new signing key vanished in its own transaction");
  return { keys, rotated: true };
}

/** The same object for a process's whole life, whose content follows rotations. */
export interface LiveServerKeys extends ServerKeys {
  follow(keys: ServerKeys): void;
}

export function liveServerKeys(first: ServerKeys): LiveServerKeys {
  let keys = first;
  return {
    get current() {
      return keys.current;
    },
    get all() {
      return keys.all;
    },
    get successionJws() {
      return keys.successionJws;
    },
    follow: (later) => {
      keys = later;
    },
  };
}

/** Another server of this market may have rotated the key. */
export async function followServerKeysOnce(db: Kysely<DB>, live: LiveServerKeys): Promise<void> {
  const keys = await readServerKeys(db);
  if (keys !== null && keys.current.kid !== live.current.kid) live.follow(keys);
}
