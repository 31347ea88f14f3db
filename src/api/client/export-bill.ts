import { getBillOfParty } from "../../billing/bill-store.ts";
import { readOwnGrant } from "../../enablement/grant.ts";
import { findHostKey } from "../../host/key-store.ts";
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
  const kid = lease.grantJws === null ? null : readOwnGrant(lease.grantJws).agentKeyThumbprint;
  const key = kid === null ? undefined : await findHostKey(db, kid);
  const batches = await listBatches(db, lease.leaseId, bill.document.evidence.finalSeq);
  return {
    version: 1,
    bill: bill.document,
    billJws: bill.jws,
    grantJws: lease.grantJws,
    extensionGrantJws: lease.extensions
      .filter(({ state }) => state === "in-force")
      .flatMap(({ grantJws }) => (grantJws === null ? [] : [grantJws])),
    wipeReceiptJws: lease.wipeReceiptJws,
    ...(lease.removalJws === null ? {} : { removalJws: lease.removalJws }),
    usageBatches: batches.map(({ jws }) => jws),
    serverKeys: context.keys.all.map((key) => ({ ...key })),
    // The one that the grant names: by now the host may have another.
    agentKey: key ? { ...key.jwk } : null,
  };
};
