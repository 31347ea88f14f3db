import type { Kysely, Selectable } from "kysely";
import type { DB, Party as PartyRow } from "../database/types.ts";
import { refusal } from "../refusal/refusal.ts";
import { type KeyId, newId, type PartyId } from "../unit/id.ts";
import { keySha256, newKey } from "./key.ts";
import type { Role } from "./role.ts";

export interface Party {
  readonly partyId: PartyId;
  readonly name: string;
  readonly roles: readonly Role[];
}

export async function insertParty(
  db: Kysely<DB>,
  party: { name: string; roles: readonly Role[]; now: Date },
): Promise<Party> {
  const row = await db
    .insertInto("party")
    .values({
      partyId: newId("party", party.now.getTime()),
      name: party.name,
      roles: [...new Set(party.roles)],
      createdAt: party.now,
    })
    .onConflict((conflict) => conflict.column("name").doNothing())
    .returningAll()
    .executeTakeFirst();
  if (!row) throw refusal("name-taken", { what: "party", name: party.name });
  return toParty(row);
}

/** Returns the key itself, which is nowhere kept. */
export async function insertKey(
  db: Kysely<DB>,
  { partyId, label, now }: { partyId: PartyId; label: string; now: Date },
): Promise<{ keyId: KeyId; key: string }> {
  const key = newKey();
  const keyId = newId("key", now.getTime());
  await db
    .insertInto("apiKey")
    .values({ keyId, partyId, label, secretSha256: keySha256(key), createdAt: now })
    .execute();
  return { keyId, key };
}

/** Oldest first; what a key opens is known to nobody but its holder. */
export async function listKeys(db: Kysely<DB>, partyId: PartyId) {
  const rows = await db
    .selectFrom("apiKey")
    .select(["keyId", "label", "createdAt", "revokedAt"])
    .where("partyId", "=", partyId)
    .orderBy("keyId")
    .execute();
  return rows.map((row) => ({ ...row, keyId: row.keyId as KeyId }));
}

/** Revoking twice keeps the first instant. */
export async function revokeKey(db: Kysely<DB>, keyId: KeyId, now: Date): Promise<Date> {
  await db
    .updateTable("apiKey")
    .set({ revokedAt: now })
    .where("keyId", "=", keyId)
    .where("revokedAt", "is", null)
    .execute();
  const row = await db
    .selectFrom("apiKey")
    .select("revokedAt")
    .where("keyId", "=", keyId)
    .executeTakeFirst();
  if (!row?.revokedAt) throw refusal("not-found", { what: "key", id: keyId });
  return row.revokedAt;
}

/** A party and the one of its keys that it shows. */
export interface KeyHolder extends Party {
  readonly keyId: KeyId;
}

export async function findPartyByKey(db: Kysely<DB>, key: string): Promise<KeyHolder | undefined> {
  const row = await db
    .selectFrom("apiKey")
    .innerJoin("party", "party.partyId", "apiKey.partyId")
    .where("apiKey.secretSha256", "=", keySha256(key))
    .where("apiKey.revokedAt", "is", null)
    .selectAll("party")
    .select("apiKey.keyId")
    .executeTakeFirst();
  return row && { ...toParty(row), keyId: row.keyId as KeyId };
}

/** By id or name. */
export async function getParty(db: Kysely<DB>, idOrName: string): Promise<Party> {
  const row = await db
    .selectFrom("party")
    .selectAll()
    .where((either) => either.or([either("partyId", "=", idOrName), either("name", "=", idOrName)]))
    .executeTakeFirst();
  if (!row) throw refusal("not-found", { what: "party", id: idOrName });
  return toParty(row);
}

export async function listParties(db: Kysely<DB>): Promise<Party[]> {
  const rows = await db.selectFrom("party").selectAll().orderBy("name").execute();
  return rows.map(toParty);
}

export async function mapParties(db: Kysely<DB>): Promise<ReadonlyMap<PartyId, Party>> {
  return new Map((await listParties(db)).map((party) => [party.partyId, party]));
}

function toParty(row: Selectable<PartyRow>): Party {
  return { partyId: row.partyId as PartyId, name: row.name, roles: row.roles as Role[] };
}
