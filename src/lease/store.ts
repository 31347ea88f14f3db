import { type Kysely, type RawBuilder, sql } from "kysely";
import { sqlPeriod } from "../database/period.ts";
import type { DB } from "../database/types.ts";
import type { Quote } from "../market/quote.ts";
import type { Tariff } from "../market/tariff.ts";
import type { Window } from "../market/window.ts";
import { refusal } from "../refusal/refusal.ts";
import type {
  BillId,
  HostId,
  ImageId,
  LeaseId,
  OfferId,
  PartitionId,
  PartyId,
} from "../unit/id.ts";
import type { CpuMode } from "../unit/schema.ts";
import type { Size } from "../unit/size.ts";
import { EXTENSIONS_OF_LEASE, type Extension, parseExtensions } from "./extension-store.ts";
import type { Outbox } from "./outbox.ts";
import type { LeaseOutcome, LeaseState } from "./state.ts";

/** Permission to use a partition for a period, with the names that people know its parts by. */
export interface Lease {
  readonly leaseId: LeaseId;
  readonly clientPartyId: PartyId;
  readonly clientName: string;
  readonly lenderPartyId: PartyId;
  readonly lenderName: string;
  readonly hostId: HostId;
  readonly hostName: string;
  readonly partitionId: PartitionId;
  readonly partitionName: string;
  readonly imageId: ImageId;
  readonly imageName: string;
  readonly imageVersion: string;
  readonly bookingSha256: string;
  readonly state: LeaseState;
  readonly outcome: LeaseOutcome | null;
  /** The last event's reason. */
  readonly reason: string | null;
  /** Null when it was cancelled before it began. */
  readonly period: { readonly start: Date; readonly end: Date } | null;
  readonly cpuMode: CpuMode;
  /** Whether its guest may reach the internet. */
  readonly internet: boolean;
  readonly size: Size;
  readonly tariff: Tariff;
  readonly quote: Quote;
  /** As the offer had it: the longest that the lease may become, extensions included. */
  readonly leaseSecondsMax: number;
  /** As the offer had them: when it may run, extensions included. None: always. */
  readonly windows: readonly Window[];
  readonly timeZone: string;
  /** In the order in which they were asked for. */
  readonly extensions: readonly Extension[];
  readonly sshPublicKey: string;
  /** Null: nothing of what is run there is kept. */
  readonly outbox: Outbox | null;
  readonly grantJws: string | null;
  readonly endJws: string | null;
  /** What the client wants of its guest's power, by number, and up to which its host has done it. */
  readonly powerState: "on" | "off" | "restart";
  readonly powerGeneration: number;
  readonly powerDoneGeneration: number;
  readonly powerJws: string | null;
  readonly access: ({ readonly accessJws: string } & Readonly<Record<string, unknown>>) | null;
  /** Every key that its host's agent has had, and the statement by the one before it. */
  readonly agentKeys: readonly AgentKey[];
  readonly wipeReceiptJws: string | null;
  /** The server's statement that its host was removed, in the place of a wipe receipt. */
  readonly removalJws: string | null;
  readonly usageSeqFinal: bigint | null;
  readonly createdAt: Date;
  readonly preparingAt: Date | null;
  readonly readyAt: Date | null;
  readonly endingAt: Date | null;
  readonly endedAt: Date | null;
  /** Of its end; the ones of months before it and corrections after it are beside it. */
  readonly billId: BillId | null;
}

export interface AgentKey {
  readonly jwk: Readonly<Record<string, string>>;
  readonly rotationJws: string | null;
}

export interface NewLease {
  readonly leaseId: LeaseId;
  readonly clientPartyId: PartyId;
  readonly lenderPartyId: PartyId;
  readonly hostId: HostId;
  readonly partitionId: PartitionId;
  readonly offerId: OfferId;
  readonly imageId: ImageId;
  readonly bookingSha256: string;
  readonly period: { readonly start: Date; readonly end: Date };
  readonly cpuMode: CpuMode;
  /** Whether its guest may reach the internet. */
  readonly internet: boolean;
  readonly size: Size;
  readonly tariff: Tariff;
  readonly quote: Quote;
  readonly leaseSecondsMax: number;
  readonly windows: readonly Window[];
  readonly timeZone: string;
  readonly sshPublicKey: string;
}

export async function insertLease(tx: Kysely<DB>, lease: NewLease, now: Date): Promise<void> {
  const { period, size, tariff, quote, windows, ...columns } = lease;
  await tx
    .insertInto("lease")
    .values({
      ...columns,
      ...size,
      state: "booked",
      period: sqlPeriod(period),
      tariff: JSON.stringify(tariff),
      quote: JSON.stringify(quote),
      windows: JSON.stringify(windows),
      createdAt: now,
    })
    .execute();
}

export async function findLease(db: Kysely<DB>, leaseId: LeaseId): Promise<Lease | undefined> {
  const [lease] = await selectLeases(db, sql`l.lease_id = ${leaseId}`);
  return lease;
}

/** Everything that changes a lease does so under this lock. */
export async function lockLease(tx: Kysely<DB>, leaseId: LeaseId): Promise<Lease> {
  await sql`select 1 from lease where lease_id = ${leaseId} for update`.execute(tx);
  const lease = await findLease(tx, leaseId);
  if (!lease) throw refusal("not-found", { what: "lease", id: leaseId });
  return lease;
}

/** A lease that the party borrows or lends; for anybody else there is none. */
export async function getLeaseOfParty(
  db: Kysely<DB>,
  partyId: PartyId,
  leaseId: LeaseId,
): Promise<Lease> {
  const lease = await findLease(db, leaseId);
  if (!lease || (lease.clientPartyId !== partyId && lease.lenderPartyId !== partyId)) {
    throw refusal("not-found", { what: "lease", id: leaseId });
  }
  return lease;
}

/** Newest first, from behind `cursor` on. */
export async function listLeasesOfParty(
  db: Kysely<DB>,
  which: { partyId: PartyId; open: boolean; cursor: string | undefined; limit: number },
): Promise<Lease[]> {
  const { partyId } = which;
  const conditions = [sql`(l.client_party_id = ${partyId} or l.lender_party_id = ${partyId})`];
  if (which.open) conditions.push(sql`l.state <> 'ended'`);
  if (which.cursor) conditions.push(sql`l.lease_id < ${which.cursor}`);
  return selectLeases(db, sql.join(conditions, sql` and `), which.limit);
}

/** Leases of a party that were granted and lie in this time with any part, newest first. */
export async function listLeaseIdsWithin(
  db: Kysely<DB>,
  which: { partyId: PartyId; from: string | null; to: string | null; limit: number },
): Promise<LeaseId[]> {
  const { partyId, from, to } = which;
  const { rows } = await sql<{ leaseId: LeaseId }>`
    select lease_id from lease
    where (client_party_id = ${partyId} or lender_party_id = ${partyId})
      and grant_jws is not null
      and period && tstzrange(${from}::timestamptz, ${to}::timestamptz)
    order by lease_id desc limit ${which.limit}`.execute(db);
  return rows.map((row) => row.leaseId);
}

/**
 * What an agent must know of: granted and not yet wiped, or wiped with records still to come, which
 * are asked for as long as agents keep them.
 */
export async function listGrantedLeases(db: Kysely<DB>, hostId: HostId): Promise<Lease[]> {
  return selectLeases(
    db,
    sql`l.host_id = ${hostId} and (l.state in ('preparing', 'ready', 'ending')
      or l.state = 'ended' and l.grant_jws is not null and l.removal_jws is null
        and (b.bill_id is null or l.ended_at > now() - interval '30 days'
          and (select max(evidence_seq) from bill x
            where x.lease_id = l.lease_id) < l.usage_seq_final))`,
  );
}

/** All of a host that have not ended, booked ones too; newest first. */
export async function listOpenLeases(db: Kysely<DB>, hostId: HostId): Promise<Lease[]> {
  return selectLeases(db, sql`l.host_id = ${hostId} and l.state <> 'ended'`);
}

/** Ended by a removal of their host, which has not said that it wiped them, and may come back. */
export async function listUnwipedLeases(db: Kysely<DB>, hostId: HostId): Promise<Lease[]> {
  return selectLeases(
    db,
    sql`l.host_id = ${hostId} and l.removal_jws is not null and not exists (
      select 1 from lease_event w
      where w.lease_id = l.lease_id and w.kind = 'wiped-after-removal')`,
  );
}

export type LeaseChange = Partial<{
  state: LeaseState;
  outcome: LeaseOutcome;
  grantJws: string;
  endJws: string;
  powerState: Lease["powerState"];
  powerGeneration: number;
  powerDoneGeneration: number;
  powerJws: string;
  access: string | null;
  wipeReceiptJws: string;
  removalJws: string;
  usageSeqFinal: number;
  preparingAt: Date;
  readyAt: Date;
  endingAt: Date;
  endedAt: Date;
}>;

export async function updateLease(
  tx: Kysely<DB>,
  leaseId: LeaseId,
  change: LeaseChange,
): Promise<void> {
  await tx.updateTable("lease").set(change).where("leaseId", "=", leaseId).execute();
}

/** The period ends here instead of later. A lease that had not begun is left without any. */
export async function shortenPeriod(tx: Kysely<DB>, leaseId: LeaseId, end: Date): Promise<void> {
  await tx
    .updateTable("lease")
    .set({
      period: sql`case when lower(period) < ${end} and ${end} < upper(period)
        then tstzrange(lower(period), ${end}::timestamptz, '[)')
        when lower(period) >= ${end} then 'empty'::tstzrange else period end`,
    })
    .where("leaseId", "=", leaseId)
    .execute();
}

/** The period ends later, and the lease costs what that costs: an extension is in force. */
export async function lengthenPeriod(
  tx: Kysely<DB>,
  leaseId: LeaseId,
  { endsAt, quote }: Pick<Extension, "endsAt" | "quote">,
): Promise<void> {
  await tx
    .updateTable("lease")
    .set({
      period: sql`tstzrange(lower(period), ${endsAt}::timestamptz, '[)')`,
      quote: JSON.stringify(quote),
    })
    .where("leaseId", "=", leaseId)
    .execute();
}

/**
 * Booked leases whose period has begun, oldest first, and whose partition is free of an earlier
 * lease, whose own time is over, or who has not been told yet that it waits.
 */
export async function listDueLeases(db: Kysely<DB>, now: Date): Promise<LeaseId[]> {
  const { rows } = await sql<{ leaseId: LeaseId }>`
    select lease_id from lease l where state = 'booked' and lower(period) <= ${now}
      and (upper(period) <= ${now}
        or not exists (select 1 from lease b
          where b.partition_id = l.partition_id and b.state in ('preparing', 'ready', 'ending'))
        or not exists (select 1 from lease_event e
          where e.lease_id = l.lease_id and e.kind = 'waiting'))
    order by lower(period), lease_id limit 100`.execute(db);
  return rows.map((row) => row.leaseId);
}

/**
 * Leases that should long have ended and whose host has not said so. While an extension is pending
 * the host may have taken it; one that has just lapsed may still turn out to have been taken.
 */
export async function listOverdueLeases(db: Kysely<DB>, before: Date): Promise<LeaseId[]> {
  const { rows } = await sql<{ leaseId: LeaseId }>`
    select lease_id from lease
    where state in ('preparing', 'ready') and upper(period) < ${before}
      and not exists (select 1 from lease_extension x where x.lease_id = lease.lease_id
        and (x.state = 'pending' and x.ends_at >= ${before}
          or x.state = 'lapsed' and x.settled_at >= ${before}))
    order by lease_id limit 100`.execute(db);
  return rows.map((row) => row.leaseId);
}

/** Leases in a partition whose reservation is over, or soon is. */
export async function listOverruns(db: Kysely<DB>, before: Date): Promise<LeaseId[]> {
  const { rows } = await sql<{ leaseId: LeaseId }>`
    select l.lease_id from lease l join reservation r using (lease_id)
    where l.state in ('preparing', 'ready', 'ending') and upper(r.period) < ${before}
    order by l.lease_id limit 100`.execute(db);
  return rows.map((row) => row.leaseId);
}

async function selectLeases(
  db: Kysely<DB>,
  condition: RawBuilder<unknown>,
  limit = 1000,
): Promise<Lease[]> {
  const { rows } = await sql<LeaseRow>`
    select l.*, lower(l.period) as start, upper(l.period) as end_at,
      c.name as client_name, d.name as lender_name, h.name as host_name,
      p.name as partition_name, i.name as image_name, i.version as image_version, b.bill_id,
      x.outbox_bytes, x.seal_key,
      (select e.reason from lease_event e where e.lease_id = l.lease_id and e.reason is not null
        and e.kind not like 'extension-%' and (e.kind <> 'waiting' or l.state = 'booked')
        order by e.seq desc limit 1) as reason,
      (select jsonb_agg(jsonb_build_object('jwk', k.public_jwk, 'rotationJws', k.rotation_jws)
        order by k.from_at, k.kid) from host_key k where k.host_id = l.host_id) as agent_keys,
      ${EXTENSIONS_OF_LEASE} as extensions
    from lease l
    join party c on c.party_id = l.client_party_id
    join party d on d.party_id = l.lender_party_id
    join host h on h.host_id = l.host_id
    join partition p on p.partition_id = l.partition_id
    join image i on i.image_id = l.image_id
    left join bill b on b.lease_id = l.lease_id and b.kind = 'final'
    left join run_lease x on x.lease_id = l.lease_id
    where ${condition}
    order by l.lease_id desc limit ${limit}`.execute(db);
  return rows.map(leaseOf);
}

function leaseOf(found: LeaseRow): Lease {
  const { start, endAt, cpuMilli, memoryBytes, diskBytes, extensions, ...rest } = found;
  const { outboxBytes, sealKey, ...row } = rest;
  return {
    ...row,
    extensions: parseExtensions(extensions),
    period: start && endAt ? { start, end: endAt } : null,
    size: { cpuMilli, memoryBytes: Number(memoryBytes), diskBytes: Number(diskBytes) },
    outbox: outboxBytes && sealKey ? { bytes: Number(outboxBytes), sealKey } : null,
  };
}

interface LeaseRow extends Omit<Lease, "period" | "size" | "extensions" | "outbox"> {
  outboxBytes: bigint | null;
  sealKey: string | null;
  extensions: unknown;
  start: Date | null;
  endAt: Date | null;
  cpuMilli: number;
  memoryBytes: bigint;
  diskBytes: bigint;
}
