import { listBillsOfParty } from "../../billing/bill-store.ts";
import type { Handler } from "../handler.ts";

export const listBills: Handler<"listBills"> = async ({ db }, { caller, query }) => {
  const { partyId } = caller;
  const { limit } = query;
  const bills = await listBillsOfParty(db.kysely, { partyId, ...query });
  return {
    bills: bills.map(({ document }) => ({
      billId: document.billId,
      leaseId: document.kind === "capacity" ? null : document.leaseId,
      number: document.number,
      kind: document.kind,
      used: document.used,
      client: document.client,
      lender: document.lender,
      host: document.host,
      closedAt: document.closedAt,
      currency: document.kind === "capacity" ? document.currency : document.tariff.currency,
      totalMicros: document.totalMicros,
    })),
    nextCursor: bills.length === limit ? (bills.at(-1)?.billId ?? null) : null,
  };
};
