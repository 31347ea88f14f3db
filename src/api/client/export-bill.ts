import { getBillOfParty } from "../../billing/bill-store.ts";
import { getHost } from "../../host/store.ts";
import { getLeaseOfParty } from "../../lease/store.ts";
import { listBatches } from "../../meter/record-store.ts";
import type { Handler } from "../handler.ts";

export const exportBill: Handler<"exportBill"> = async (
  context,
  { caller, params: { billId } },
) => {
  const db = context.db.kysely;
  const bill = await getBillOfParty(db, caller.partyId, billId);
  const lease = await getLeaseOfParty(db, caller.partyId, bill.leaseId);
  const host = await getHost(db, lease.hostId);
  const batches = await listBatches(db, lease.leaseId);
  return {
    version: 1,
    bill: bill.document,
    billJws: bill.jws,
    grantJws: lease.grantJws,
    extensionGrantJws: lease.extensions
      .filter(({ state }) => state === "in-force")
      .flatMap(({ grantJws }) => (grantJws === null ? [] : [grantJws])),
    wipeReceiptJws: lease.wipeReceiptJws,
    usageBatches: batches.map(({ jws }) => jws),
    serverKeys: context.keys.all.map((key) => ({ ...key })),
    agentKey: host.agentPublicJwk && { ...host.agentPublicJwk },
  };
};
