import type { Kysely } from "kysely";
import type { Database } from "../database/connect.ts";
import type { DB } from "../database/types.ts";
import { grantSchema } from "../enablement/grant.ts";
import type { Issuer } from "../enablement/issue.ts";
import { eachLease } from "../lease/each-lease.ts";
import { insertLeaseEvent } from "../lease/event-store.ts";
import { type Lease, listUnbilledLeases } from "../lease/store.ts";
import type { HashedRecord } from "../meter/record.ts";
import { readChain } from "../meter/record-store.ts";
import { priceMicrosPerHour } from "../rating/amount.ts";
import { rateRecords } from "../rating/rate.ts";
import { newId } from "../unit/id.ts";
import { insertBill, insertCharges } from "./bill-store.ts";
import { lockParty, post, releaseHold } from "./ledger-store.ts";
import { makeBill } from "./make-bill.ts";
import { billPostings, type Posting } from "./postings.ts";
import { sealBill } from "./seal.ts";

/**
 * Ended leases whose final record has arrived, with every record before it: rates them, closes
 * their bill, posts it and settles the hold, in one transaction each. Returns how many bills closed.
 */
export async function closeBillsOnce(
  context: { readonly db: Database; readonly issuer: Issuer },
  now: Date,
): Promise<number> {
  const billable = await listUnbilledLeases(context.db.kysely);
  return eachLease(context.db, billable, async (tx, lease) => {
    if (lease.state !== "ended" || lease.billId !== null || lease.usageSeqFinal === null) {
      return false;
    }
    const records = await readChain(tx, lease.leaseId, lease.usageSeqFinal);
    if (BigInt(records.length) !== lease.usageSeqFinal) return false;
    await closeBill(tx, context.issuer, { lease, records }, now);
    return true;
  });
}

async function closeBill(
  tx: Kysely<DB>,
  issuer: Issuer,
  { lease, records }: { readonly lease: Lease; readonly records: readonly HashedRecord[] },
  now: Date,
): Promise<void> {
  await lockParty(tx, lease.clientPartyId);
  const grantedNs = grantedLengthNs(lease);
  const document = makeBill({
    billId: newId("bill", now.getTime()),
    leaseId: lease.leaseId,
    client: { id: lease.clientPartyId, name: lease.clientName },
    lender: { id: lease.lenderPartyId, name: lease.lenderName },
    host: { id: lease.hostId, name: lease.hostName },
    partition: { id: lease.partitionId, name: lease.partitionName },
    tariff: lease.tariff,
    records,
    grantedNs,
    closedAt: now,
  });
  await insertBill(tx, {
    document,
    jws: sealBill(document, issuer.serverId, issuer.key),
    closedAt: now,
  });
  await insertCharges(tx, document, rateRecords(records, { grantedNs }), (resource) =>
    priceMicrosPerHour(resource, lease.tariff),
  );
  const postings = billPostings(document, lease.tariff.operatorFeePpm);
  if (postings.length > 0) {
    const posted = await post(tx, {
      kind: "bill",
      cause: document.billId,
      postedBy: null,
      entries: postings.map((posting) => entryOf(posting, lease)),
      now,
    });
    if (!posted) throw new Error(`${document.billId} was posted before it was made`);
  }
  await releaseHold(tx, lease.leaseId, now);
  await insertLeaseEvent(tx, {
    leaseId: lease.leaseId,
    kind: "billed",
    detail: { billId: document.billId, totalMicros: document.totalMicros },
    at: now,
  });
}

/** What was granted, from the grant itself: the lease's own period was cut when it ended early. */
function grantedLengthNs(lease: Lease): bigint {
  const payload = lease.grantJws?.split(".")[1] ?? "";
  const { period } = grantSchema.parse(JSON.parse(Buffer.from(payload, "base64url").toString()));
  const lengthMs = new Date(period.end).getTime() - new Date(period.start).getTime();
  return BigInt(lengthMs) * 1_000_000n;
}

function entryOf({ account, amountMicros }: Posting, lease: Lease) {
  switch (account) {
    case "funds":
      return { account: { kind: account, partyId: lease.clientPartyId }, amountMicros };
    case "earnings":
      return { account: { kind: account, partyId: lease.lenderPartyId }, amountMicros };
    case "fee":
    case "rounding":
      return { account: { kind: account }, amountMicros };
  }
}
