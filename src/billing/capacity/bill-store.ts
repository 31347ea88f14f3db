import { type Kysely, sql } from "kysely";
import type { DB } from "../../database/types.ts";
import type { HostId, PartyId } from "../../unit/id.ts";
import { type CapacityBill, capacityBillSchema } from "./bill.ts";

/** A provider's bills for a host, by number. */
export async function listCapacityBills(
  db: Kysely<DB>,
  { hostId, providerPartyId }: { readonly hostId: HostId; readonly providerPartyId: PartyId },
): Promise<readonly { readonly bill: CapacityBill; readonly billJws: string }[]> {
  const rows = await db
    .selectFrom("bill")
    .select(["document", "jws"])
    .where("kind", "=", "capacity")
    .where("hostId", "=", hostId)
    .where("lenderPartyId", "=", providerPartyId)
    .orderBy("number")
    .execute();
  return rows.map(({ document, jws }) => ({
    bill: capacityBillSchema.parse(document),
    billJws: jws,
  }));
}

/**
 * Of each host and provider of a party, whose customer or provider it is, the last bill of a period
 * that lies in the time: with those before it, all that is billed of that time.
 */
export async function listLastCapacityBills(
  db: Kysely<DB>,
  which: { partyId: PartyId; from: string | null; to: string | null; limit: number },
): Promise<readonly CapacityBill[]> {
  const { partyId, from, to, limit } = which;
  const { rows } = await sql<{ document: unknown }>`
    select distinct on (host_id, lender_party_id) document from bill
    where kind = 'capacity' and (client_party_id = ${partyId} or lender_party_id = ${partyId})
      and tstzrange((document #>> '{period,start}')::timestamptz,
          (document #>> '{period,end}')::timestamptz)
        && tstzrange(${from}::timestamptz, ${to}::timestamptz)
    order by host_id, lender_party_id, number desc limit ${limit}`.execute(db);
  return rows.map(({ document }) => capacityBillSchema.parse(document));
}

export async function insertCapacityBill(
  tx: Kysely<DB>,
  { document, jws, closedAt }: { document: CapacityBill; jws: string; closedAt: Date },
): Promise<void> {
  await tx
    .insertInto("bill")
    .values({
      billId: document.billId,
      leaseId: null,
      number: document.number,
      kind: document.kind,
      untilAt: null,
      evidenceSeq: 0,
      actSeq: document.act.seq,
      clientPartyId: document.client.id,
      lenderPartyId: document.lender.id,
      hostId: document.host.id,
      closedAt,
      totalMicros: BigInt(document.totalMicros),
      remainderMicros: BigInt(document.remainderMicros),
      document: JSON.stringify(document),
      jws,
    })
    .execute();
}
