import { billInput, readBillBasis } from "../../billing/close-bills.ts";
import { makeBill } from "../../billing/make-bill.ts";
import { missingRecords } from "../../billing/time-to-close.ts";
import { getLeaseOfParty } from "../../lease/store.ts";
import { refusal } from "../../refusal/refusal.ts";
import { newId } from "../../unit/id.ts";
import type { Handler } from "../handler.ts";

/** What one bill over all of the lease so far would say, beside what is billed already. */
export const showUsage: Handler<"showUsage"> = async (context, { caller, params }) => {
  const db = context.db.kysely;
  const now = context.clock.now();
  const lease = await getLeaseOfParty(db, caller.partyId, params.leaseId);
  const { leaseId, state } = lease;
  if (lease.grantJws === null) throw refusal("nothing-used", { leaseId, state });
  const basis = await readBillBasis(db, lease, context.billingTimeZone);
  const all = { kind: "final", period: { start: basis.grantedFrom, end: null } } as const;
  const due = { ...all, count: basis.records.length, incomplete: true };
  const input = billInput(lease, { ...basis, earlier: [] }, due, now);
  const bill = makeBill({ ...input, billId: newId("bill", now.getTime()) });
  const seqFinal = lease.usageSeqFinal;
  const known = missingRecords(basis.seqs, basis.records.length, seqFinal);
  return {
    leaseId,
    state,
    used: bill.used,
    records: basis.records.length,
    // How a chain goes on that has not ended is not missing but to come.
    missing: known.filter(({ toSeq }) => toSeq !== null),
    elapsedNs: bill.elapsedNs,
    deliveredNs: bill.deliveredNs,
    currency: lease.tariff.currency,
    lines: bill.lines,
    costMicros: bill.sumMicros,
    billedMicros: basis.earlier
      .reduce((sum, { totalMicros }) => sum + BigInt(totalMicros), 0n)
      .toString(),
    billIds: basis.earlier.map(({ billId }) => billId),
  };
};
