import { type Kysely, sql } from "kysely";
import type { DB } from "../../database/types.ts";
import type { HostId, PartyId } from "../../unit/id.ts";
import { RECORDS_DEADLINE_HOURS } from "../time-to-close.ts";

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

/**
 * Whether there may be something to bill: a time to bill without a bill, or a last bill that is
 * incomplete and lacks nothing any more, or whose deadline is over. Says when it is, otherwise.
 */
export async function readTurn(
  tx: Kysely<DB>,
  { hostId, providerPartyId }: Whose,
  now: Date,
): Promise<{ readonly isDue: true } | { readonly isDue: false; readonly at: Date | null }> {
  const { rows } = await sql<{ unbilled: boolean; deadline: Date | null; lacks: boolean }>`
    with last as (select document, closed_at from bill
      where kind = 'capacity' and host_id = ${hostId} and lender_party_id = ${providerPartyId}
      order by number desc limit 1)
    select exists (select 1 from capacity_act a
        where a.host_id = ${hostId} and a.kind = 'time-to-bill'
          and a.act #>> '{act,providerId}' = ${providerPartyId}
          and not exists (select 1 from bill b where b.kind = 'capacity'
            and b.host_id = ${hostId} and b.lender_party_id = ${providerPartyId}
            and b.act_seq = a.seq)) as unbilled,
      (select closed_at + ${RECORDS_DEADLINE_HOURS} * interval '1 hour' from last
        where document ->> 'incomplete' = 'true') as deadline,
      exists (select 1 from last, jsonb_array_elements(document #> '{evidence,missing}') m
        left join capacity_progress p on p.chain_id = m ->> 'chainId'
        where coalesce(p.contiguous_seq, 0) < (m ->> 'toSeq')::bigint)
      or exists (select 1 from last, jsonb_array_elements(document #> '{evidence,missingActs}') m
        where (m ->> 'toSeq')::bigint - (m ->> 'fromSeq')::bigint + 1 > (
          select count(*) from capacity_act a where a.host_id = ${hostId}
            and a.seq between (m ->> 'fromSeq')::bigint and (m ->> 'toSeq')::bigint)) as lacks`.execute(
    tx,
  );
  const { unbilled = false, deadline = null, lacks = false } = rows[0] ?? {};
  if (unbilled || (deadline !== null && (!lacks || deadline <= now))) return { isDue: true };
  return { isDue: false, at: deadline };
}
