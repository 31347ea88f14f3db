import type { Kysely } from "kysely";
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
