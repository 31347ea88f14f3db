import { type Kysely, sql } from "kysely";
import type { DB } from "../../database/types.ts";
import type { HostId, PartyId, ServiceId } from "../../unit/id.ts";

export interface Issued {
  readonly hostId: HostId;
  readonly providerPartyId: PartyId;
}

/** Which hosts codes were issued for: by a provider, for an owner, or one host by one provider. */
export async function listIssued(
  db: Kysely<DB>,
  whose: { providerPartyId: PartyId; hostId?: HostId } | { ownerPartyId: PartyId },
): Promise<Issued[]> {
  const rows = await db
    .selectFrom("capacityCode as k")
    .innerJoin("host as h", "h.hostId", "k.hostId")
    .select(["k.hostId", "k.providerPartyId"])
    .distinct()
    .where((eb) =>
      "ownerPartyId" in whose
        ? eb("h.lenderPartyId", "=", whose.ownerPartyId)
        : eb.and([
            eb("k.providerPartyId", "=", whose.providerPartyId),
            ...(whose.hostId === undefined ? [] : [eb("k.hostId", "=", whose.hostId)]),
          ]),
    )
    .orderBy("k.hostId")
    .orderBy("k.providerPartyId")
    .limit(LISTED_MAX)
    .execute();
  return rows as Issued[];
}

const LISTED_MAX = 500;

export interface Reported {
  /** The last that the host told of itself: its acts' head, or a record of use. */
  readonly latest: Date | null;
  /** Of the meters that are open: until when the one is known that is furthest behind. */
  readonly openUntil: Date | null;
}

/** Until when a host has told what it did with a provider's codes, by its own clock. */
export async function readReported(
  db: Kysely<DB>,
  { hostId, providerPartyId }: Issued,
): Promise<Reported> {
  const { rows } = await sql<Reported>`
    with meter as (
      select coalesce(r.to_at, (a.act ->> 'at')::timestamptz) as until,
        coalesce(r.final, false) as is_closed
      from capacity_chain c
      join capacity_act a on a.host_id = c.host_id and a.seq = c.act_seq
      left join lateral (select u.to_at, u.final from usage_record u
        where u.chain_id = c.chain_id order by u.seq desc limit 1) r on true
      where c.host_id = ${hostId} and c.provider_party_id = ${providerPartyId})
    select
      greatest((select max(head_at) from capacity_act_batch where host_id = ${hostId}),
        (select max(until) from meter)) as latest,
      (select min(until) from meter where not is_closed) as open_until`.execute(db);
  return rows[0] ?? { latest: null, openUntil: null };
}

/** Services that could not be given back, and were not since, nor covered by another code. */
export async function listUnreturned(
  db: Kysely<DB>,
  { hostId, providerPartyId }: Issued,
): Promise<ServiceId[]> {
  const { rows } = await sql<{ serviceId: ServiceId }>`
    select distinct a.act #>> '{act,serviceId}' as service_id
    from capacity_act a
    where a.host_id = ${hostId} and a.kind = 'unreturned'
      and exists (select 1 from capacity_act s where s.host_id = a.host_id
        and s.kind = 'service-begun'
        and s.act #>> '{act,serviceId}' = a.act #>> '{act,serviceId}'
        and s.act #>> '{act,providerId}' = ${providerPartyId})
      and not exists (select 1 from capacity_act r where r.host_id = a.host_id
        and r.kind in ('service-returned', 'service-covered') and r.seq > a.seq
        and r.act #>> '{act,serviceId}' = a.act #>> '{act,serviceId}')
    order by 1`.execute(db);
  return rows.map(({ serviceId }) => serviceId);
}

/** When the host's owner untrusted the provider; null: it is trusted, or no act tells of it. */
export async function readUntrustedSince(
  db: Kysely<DB>,
  { hostId, providerPartyId }: Issued,
): Promise<string | null> {
  const { rows } = await sql<{ kind: string; at: string }>`
    select a.kind, a.act ->> 'at' as at from capacity_act a
    where a.host_id = ${hostId} and a.kind in ('provider-trusted', 'provider-untrusted')
      and a.act #>> '{act,providerId}' = ${providerPartyId}
    order by a.seq desc limit 1`.execute(db);
  const [last] = rows;
  return last?.kind === "provider-untrusted" ? last.at : null;
}

export async function insertDemand(
  tx: Kysely<DB>,
  { hostId, providerPartyId }: Issued,
  now: Date,
): Promise<void> {
  await tx
    .insertInto("capacityDemand")
    .values({ hostId, providerPartyId, demandedAt: now })
    .onConflict((conflict) =>
      conflict.columns(["hostId", "providerPartyId"]).doUpdateSet({ demandedAt: now }),
    )
    .execute();
}

/** Demands that no time to bill has answered since. One without any use names no chains. */
export async function listDemands(
  db: Kysely<DB>,
  hostId: HostId,
): Promise<{ providerPartyId: PartyId; demandedAt: Date }[]> {
  const { rows } = await sql<{ providerPartyId: PartyId; demandedAt: Date }>`
    select d.provider_party_id, d.demanded_at from capacity_demand d
    where d.host_id = ${hostId}
      and not exists (select 1 from capacity_act a where a.host_id = d.host_id
        and a.kind = 'time-to-bill' and a.act #>> '{act,providerId}' = d.provider_party_id
        and a.received_at > d.demanded_at)
    order by 1`.execute(db);
  return rows;
}
