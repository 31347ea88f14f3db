import { type Kysely, type RawBuilder, sql } from "kysely";
import type { DB } from "../database/types.ts";
import type { Charge } from "../rating/rate.ts";
import { refusal } from "../refusal/refusal.ts";
import type { BillId, HostId, LeaseId, PartyId } from "../unit/id.ts";
import { type AnyBill, anyBillSchema } from "./any-bill.ts";
import { type BillDocument, billDocumentSchema } from "./bill.ts";
import { RECORDS_DEADLINE_HOURS } from "./time-to-close.ts";

export interface StoredBill {
  readonly billId: BillId;
  /** Null: of enabled capacity. */
  readonly leaseId: LeaseId | null;
  readonly clientPartyId: PartyId;
  readonly lenderPartyId: PartyId;
  readonly document: AnyBill;
  readonly jws: string;
}

const DEADLINE = sql`make_interval(hours => ${RECORDS_DEADLINE_HOURS})`;

/** How many records there are from 1 on without a gap, for a chain that has `upTo` of them. */
const isShownUpTo = (upTo: RawBuilder<unknown>) => sql<boolean>`(select count(*) from usage_record r
  where r.chain_id = l.lease_id and r.seq <= ${upTo}) >= ${upTo}`;

/**
 * Leases that were granted and for which a bill may be due: a month's edge has passed and the
 * records go beyond it, or they are no longer waited for; the lease has ended, and so is or does
 * its chain; or records came after its final bill. Those that wait are not among them: they must
 * not keep the others back.
 */
export async function listBillableLeases(db: Kysely<DB>, now: Date): Promise<LeaseId[]> {
  const { rows } = await sql<{ leaseId: LeaseId }>`
    select l.lease_id from lease l
    cross join setting s
    left join lateral (select number, until_at from bill b
      where b.lease_id = l.lease_id order by number desc limit 1) last on true
    cross join lateral (select (date_trunc('month',
        coalesce(last.until_at, lower(l.period), l.preparing_at) at time zone s.billing_time_zone)
      + interval '1 month') at time zone s.billing_time_zone as at) edge
    where l.grant_jws is not null
      and not exists (select 1 from bill b where b.lease_id = l.lease_id and b.kind = 'final')
      and (l.state = 'ended' and (l.removal_jws is not null
          or l.ended_at <= ${now}::timestamptz - ${DEADLINE}
          or ${isShownUpTo(sql`l.usage_seq_final`)})
        or edge.at <= ${now}::timestamptz - ${DEADLINE}
        or edge.at <= ${now} and exists (select 1 from usage_record x
          where x.chain_id = l.lease_id and x.to_at > edge.at
            and ${isShownUpTo(sql`x.seq`)} limit 1))
    union all
    select l.lease_id from late_usage u join lease l using (lease_id)
    where u.since <= ${now}::timestamptz - ${DEADLINE} or ${isShownUpTo(sql`l.usage_seq_final`)}
    order by lease_id limit 100`.execute(db);
  return rows.map((row) => row.leaseId);
}

/** Records came for a lease whose final bill is closed. */
export async function noteLateUsage(tx: Kysely<DB>, leaseId: LeaseId, now: Date): Promise<void> {
  await tx
    .insertInto("lateUsage")
    .values({ leaseId, since: now })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}

export async function forgetLateUsage(tx: Kysely<DB>, leaseId: LeaseId): Promise<void> {
  await tx.deleteFrom("lateUsage").where("leaseId", "=", leaseId).execute();
}

export async function insertBill(
  tx: Kysely<DB>,
  bill: { document: BillDocument; jws: string; closedAt: Date },
): Promise<void> {
  const { document } = bill;
  await tx
    .insertInto("bill")
    .values({
      billId: document.billId,
      leaseId: document.leaseId,
      number: document.number,
      kind: document.kind,
      untilAt: document.kind === "interim" ? (document.period?.end ?? null) : null,
      evidenceSeq: document.evidence.finalSeq,
      clientPartyId: document.client.id,
      lenderPartyId: document.lender.id,
      hostId: document.host.id as HostId,
      closedAt: bill.closedAt,
      totalMicros: BigInt(document.totalMicros),
      remainderMicros: BigInt(document.remainderMicros),
      document: JSON.stringify(document),
      jws: bill.jws,
    })
    .execute();
}

/** `charges`: what each record comes to up to the bill's end. What was billed of it before is less. */
export async function insertCharges(
  tx: Kysely<DB>,
  bill: BillDocument,
  charges: readonly Pick<Charge, "seq" | "resource" | "quantity">[],
  priceOf: (resource: Charge["resource"]) => bigint,
): Promise<void> {
  const rows = charges.map(({ seq, resource, quantity }) => ({
    seq,
    resource,
    quantity: quantity.toString(),
    price: priceOf(resource).toString(),
  }));
  await sql`
    insert into charge (chain_id, seq, resource, quantity, price_micros_per_hour, bill_id)
    select ${bill.leaseId}, n.seq, n.resource, n.quantity - coalesce(b.quantity, 0), n.price,
      ${bill.billId}
    from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb)
      as n (seq bigint, resource text, quantity numeric, price bigint)
    left join (select seq, resource, sum(quantity) as quantity from charge
      where chain_id = ${bill.leaseId} group by seq, resource) b using (seq, resource)
    where n.quantity <> coalesce(b.quantity, 0)`.execute(tx);
}

/** The bills of a lease, by number. */
export async function listBillsOfLease(
  db: Kysely<DB>,
  leaseId: LeaseId,
): Promise<readonly { readonly bill: BillDocument; readonly billJws: string }[]> {
  const rows = await db
    .selectFrom("bill")
    .select(["document", "jws"])
    .where("leaseId", "=", leaseId)
    .orderBy("number")
    .execute();
  return rows.map(({ document, jws }) => ({
    bill: billDocumentSchema.parse(document),
    billJws: jws,
  }));
}

/** A bill that the party pays or earns from; for anybody else there is none. */
export async function getBillOfParty(
  db: Kysely<DB>,
  partyId: PartyId,
  billId: BillId,
): Promise<StoredBill> {
  const [bill] = await listBillsOfParty(db, { partyId, billId, limit: 1 });
  if (!bill) throw refusal("not-found", { what: "bill", id: billId });
  return bill;
}

/** Newest first, from behind `cursor` on. */
export async function listBillsOfParty(
  db: Kysely<DB>,
  which: {
    partyId: PartyId;
    billId?: BillId;
    leaseId?: LeaseId | undefined;
    cursor?: string | undefined;
    limit: number;
  },
): Promise<StoredBill[]> {
  const rows = await db
    .selectFrom("bill")
    .select(["billId", "leaseId", "clientPartyId", "lenderPartyId", "document", "jws"])
    .where(sql<boolean>`(client_party_id = ${which.partyId} or lender_party_id = ${which.partyId})`)
    .$if(which.billId !== undefined, (query) => query.where("billId", "=", which.billId ?? ""))
    .$if(which.leaseId !== undefined, (query) => query.where("leaseId", "=", which.leaseId ?? ""))
    .$if(which.cursor !== undefined, (query) => query.where("billId", "<", which.cursor ?? ""))
    .orderBy("billId", "desc")
    .limit(which.limit)
    .execute();
  return rows.map((row) => ({
    billId: row.billId as BillId,
    leaseId: row.leaseId as LeaseId | null,
    clientPartyId: row.clientPartyId as PartyId,
    lenderPartyId: row.lenderPartyId as PartyId,
    document: anyBillSchema.parse(row.document),
    jws: row.jws,
  }));
}
