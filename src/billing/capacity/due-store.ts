import { type Kysely, sql } from "kysely";
import type { DB } from "../../database/types.ts";
import type { HostId, PartyId } from "../../unit/id.ts";

/** A provider's bills for one host. */
export interface Whose {
  readonly hostId: HostId;
  readonly providerPartyId: PartyId;
}

/** Something came from a host: its bills are looked at in the next pass. Under the host's lock. */
export async function bringForward(
  tx: Kysely<DB>,
  of: { readonly hostId: HostId; readonly providerPartyId: PartyId | null },
  now: Date,
): Promise<void> {
  await sql`
    insert into capacity_due (host_id, provider_party_id, due_at)
    select distinct host_id, provider_party_id, ${now}::timestamptz
    from capacity_code
    where host_id = ${of.hostId}
      and provider_party_id = coalesce(${of.providerPartyId}, provider_party_id)
    on conflict (host_id, provider_party_id)
      do update set due_at = least(capacity_due.due_at, excluded.due_at)`.execute(tx);
}

/** When they are looked at next; null: not before something comes. */
export async function setDue(db: Kysely<DB>, whose: Whose, dueAt: Date | null): Promise<void> {
  const { hostId, providerPartyId } = whose;
  if (dueAt === null) {
    await db
      .deleteFrom("capacityDue")
      .where("hostId", "=", hostId)
      .where("providerPartyId", "=", providerPartyId)
      .execute();
    return;
  }
  await db
    .insertInto("capacityDue")
    .values({ hostId, providerPartyId, dueAt })
    .onConflict((on) => on.columns(["hostId", "providerPartyId"]).doUpdateSet({ dueAt }))
    .execute();
}

/** Those whose turn it is, who have waited longest first; no more than `limit`. */
export async function listDue(db: Kysely<DB>, now: Date, limit: number): Promise<readonly Whose[]> {
  const rows = await db
    .selectFrom("capacityDue")
    .select(["hostId", "providerPartyId"])
    .where("dueAt", "<=", now)
    .orderBy("dueAt")
    .orderBy("hostId")
    .orderBy("providerPartyId")
    .limit(limit)
    .execute();
  return rows.map((row) => ({
    hostId: row.hostId as HostId,
    providerPartyId: row.providerPartyId as PartyId,
  }));
}
