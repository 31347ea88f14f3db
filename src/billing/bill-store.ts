import { type Kysely, sql } from "kysely";
import type { DB } from "../database/types.ts";
import type { Charge } from "../rating/rate.ts";
import { refusal } from "../refusal/refusal.ts";
import type { BillId, HostId, LeaseId, PartyId } from "../unit/id.ts";
import { type BillDocument, billDocumentSchema } from "./bill.ts";
import { RECORDS_DEADLINE_HOURS } from "./time-to-close.ts";

export interface StoredBill {
  readonly billId: BillId;
  readonly leaseId: LeaseId;
  readonly clientPartyId: PartyId;
  readonly lenderPartyId: PartyId;
  readonly document: BillDocument;
  readonly jws: string;
}

/**
 * Ended leases that were granted, have no bill yet, and whose records are all there or no longer
 * waited for. Those that wait are not among them: they must not keep the others back.
 */
export async function listBillableLeases(db: Kysely<DB>, now: Date): Promise<LeaseId[]> {
  const { rows } = await sql<{ leaseId: LeaseId }>`
    select lease_id from lease l
    where state = 'ended' and grant_jws is not null
      and not exists (select 1 from bill b where b.lease_id = l.lease_id)
      and (removal_jws is not null
        or ended_at <= ${now}::timestamptz - make_interval(hours => ${RECORDS_DEADLINE_HOURS})
        or (select count(*) from usage_record r
          where r.chain_id = l.lease_id and r.seq <= l.usage_seq_final) >= usage_seq_final)
    order by lease_id limit 100`.execute(db);
  return rows.map((row) => row.leaseId);
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

export async function insertCharges(
  tx: Kysely<DB>,
  bill: BillDocument,
  charges: readonly Charge[],
  priceOf: (resource: Charge["resource"]) => bigint,
): Promise<void> {
  if (charges.length === 0) return;
  await tx
    .insertInto("charge")
    .values(
      charges.map((charge) => ({
        chainId: bill.leaseId,
        seq: charge.seq,
        resource: charge.resource,
        quantity: charge.quantity.toString(),
        priceMicrosPerHour: priceOf(charge.resource),
        billId: bill.billId,
      })),
    )
    .execute();
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
  which: { partyId: PartyId; billId?: BillId; cursor?: string | undefined; limit: number },
): Promise<StoredBill[]> {
  const rows = await db
    .selectFrom("bill")
    .select(["billId", "leaseId", "clientPartyId", "lenderPartyId", "document", "jws"])
    .where(sql<boolean>`(client_party_id = ${which.partyId} or lender_party_id = ${which.partyId})`)
    .$if(which.billId !== undefined, (query) => query.where("billId", "=", which.billId ?? ""))
    .$if(which.cursor !== undefined, (query) => query.where("billId", "<", which.cursor ?? ""))
    .orderBy("billId", "desc")
    .limit(which.limit)
    .execute();
  return rows.map((row) => ({
    billId: row.billId as BillId,
    leaseId: row.leaseId as LeaseId,
    clientPartyId: row.clientPartyId as PartyId,
    lenderPartyId: row.lenderPartyId as PartyId,
    document: billDocumentSchema.parse(row.document),
    jws: row.jws,
  }));
}
