import type { Kysely } from "kysely";
import type { Database } from "../database/connect.ts";
import type { DB } from "../database/types.ts";
import { readOwnGrant } from "../enablement/grant.ts";
import type { Issuer } from "../enablement/issue.ts";
import { eachLease } from "../lease/each-lease.ts";
import { insertLeaseEvent, listUndeliveredReasons } from "../lease/event-store.ts";
import type { Lease } from "../lease/store.ts";
import type { HashedRecord } from "../meter/record.ts";
import { readChain } from "../meter/record-store.ts";
import { wipeReceiptSchema } from "../partition/signed.ts";
import { priceMicrosPerHour } from "../rating/amount.ts";
import { rateRecords } from "../rating/rate.ts";
import { newId } from "../unit/id.ts";
import { insertBill, insertCharges, listBillableLeases } from "./bill-store.ts";
import { lockParty } from "./ledger-store.ts";
import { makeBill } from "./make-bill.ts";
import { postBill } from "./post-bill.ts";
import { sealBill } from "./seal.ts";
import { timeToClose } from "./time-to-close.ts";

/**
 * Ended leases whose final record has arrived, with every record before it, and those whose records
 * are no longer waited for: rates them, closes their bill, posts it and settles the hold, in one
 * transaction each. Returns how many bills closed.
 */
export async function closeBillsOnce(
  context: { readonly db: Database; readonly issuer: Issuer },
  now: Date,
): Promise<number> {
  const billable = await listBillableLeases(context.db.kysely, now);
  return eachLease(context.db, billable, async (tx, lease) => {
    if (lease.state !== "ended" || lease.billId !== null) return false;
    const records = contiguous(await readChain(tx, lease.leaseId, lease.usageSeqFinal));
    const time = timeToClose(
      {
        usageSeqFinal: lease.usageSeqFinal,
        isHostRemoved: lease.removalJws !== null,
        endedAt: lease.endedAt ?? now,
        contiguousSeq: records.length,
        hasFinal: records.at(-1)?.record.final === true,
      },
      now,
    );
    if (time === "wait") return false;
    await closeBill(tx, context.issuer, lease, { records, incomplete: time === "incomplete", now });
    return true;
  });
}

/** Records behind a gap are not billed: what lies before them is not known. */
function contiguous(records: readonly HashedRecord[]): readonly HashedRecord[] {
  const gap = records.findIndex(({ record }, index) => record.seq !== index + 1);
  return gap < 0 ? records : records.slice(0, gap);
}

async function closeBill(
  tx: Kysely<DB>,
  issuer: Issuer,
  lease: Lease,
  basis: { records: readonly HashedRecord[]; incomplete: boolean; now: Date },
): Promise<void> {
  const { records, incomplete, now } = basis;
  await lockParty(tx, lease.clientPartyId);
  const granted = grantedPeriod(lease);
  const { grantedNs } = granted;
  const document = makeBill({
    billId: newId("bill", now.getTime()),
    leaseId: lease.leaseId,
    client: { id: lease.clientPartyId, name: lease.clientName },
    lender: { id: lease.lenderPartyId, name: lease.lenderName },
    host: { id: lease.hostId, name: lease.hostName },
    partition: { id: lease.partitionId, name: lease.partitionName },
    tariff: lease.tariff,
    cpuMode: lease.cpuMode,
    records,
    ...granted,
    wipedAt: wipedAtOf(lease),
    reasons: await listUndeliveredReasons(tx, lease.leaseId),
    closedAt: now,
    incomplete,
  });
  await insertBill(tx, {
    document,
    jws: sealBill(document, issuer.serverId, issuer.key),
    closedAt: now,
  });
  await insertCharges(tx, document, rateRecords(records, { grantedNs }), (resource) =>
    priceMicrosPerHour(resource, lease.tariff, lease.cpuMode),
  );
  await postBill(tx, {
    billId: document.billId,
    leaseId: lease.leaseId,
    clientPartyId: lease.clientPartyId,
    lenderPartyId: lease.lenderPartyId,
    amounts: document,
    terms: lease.tariff,
    last: true,
    now,
  });
  await insertLeaseEvent(tx, {
    leaseId: lease.leaseId,
    kind: "billed",
    detail: {
      billId: document.billId,
      totalMicros: document.totalMicros,
      ...(incomplete ? { incomplete, records: records.length } : {}),
    },
    at: now,
  });
}

/**
 * What was granted and, where it is an extension, acknowledged by the host. From the grants
 * themselves: the lease's own period was cut when it ended early.
 */
function grantedPeriod({ grantJws, extensions }: Lease) {
  const { period } = readOwnGrant(grantJws ?? "");
  const ends = extensions
    .filter(({ state }) => state === "in-force")
    .map(({ endsAt }) => endsAt.getTime());
  const endMs = Math.max(new Date(period.end).getTime(), ...ends);
  const grantedNs = BigInt(endMs - new Date(period.start).getTime()) * 1_000_000n;
  return { grantedFrom: period.start, grantedNs };
}

/** From the receipt that was verified when it came. */
function wipedAtOf({ wipeReceiptJws }: Lease): string | null {
  const payload = Buffer.from(wipeReceiptJws?.split(".")[1] ?? "", "base64url").toString();
  return wipeReceiptJws === null ? null : wipeReceiptSchema.parse(JSON.parse(payload)).wipedAt;
}
