import type { Kysely } from "kysely";
import type { Database } from "../database/connect.ts";
import type { DB } from "../database/types.ts";
import { readOwnGrant } from "../enablement/grant.ts";
import type { Issuer } from "../enablement/issue.ts";
import { eachLease } from "../lease/each-lease.ts";
import { insertLeaseEvent, listDeliveryEvents } from "../lease/event-store.ts";
import type { Lease } from "../lease/store.ts";
import { listSeqs, readChain } from "../meter/record-store.ts";
import { wipeReceiptSchema } from "../partition/signed.ts";
import { priceMicrosPerHour } from "../rating/amount.ts";
import { DELIVERY_EVENTS } from "../rating/not-delivered.ts";
import { portion } from "../rating/portion.ts";
import { rateRecords } from "../rating/rate.ts";
import { newId } from "../unit/id.ts";
import type { BillDocument } from "./bill.ts";
import {
  forgetLateUsage,
  insertBill,
  insertCharges,
  listBillableLeases,
  listBillsOfLease,
} from "./bill-store.ts";
import { queueDeliveries } from "./delivery/store.ts";
import { lockParty } from "./ledger-store.ts";
import { type BillInput, makeBill } from "./make-bill.ts";
import { postBill } from "./post-bill.ts";
import { sealBill } from "./seal.ts";
import { missingRecords, type TimeToClose, timeToClose } from "./time-to-close.ts";

interface Billing {
  readonly issuer: Issuer;
  readonly timeZone: string;
  readonly now: Date;
}

/**
 * Closes the bills that are due, one after the other: at the edges of months, at leases' ends, and
 * corrections of what came later. Each is rated, sealed and posted, and the hold settled by it, in
 * one transaction for a lease. Returns how many leases were billed.
 */
export async function closeBillsOnce(
  context: { readonly db: Database; readonly issuer: Issuer; readonly billingTimeZone: string },
  now: Date,
): Promise<number> {
  const billable = await listBillableLeases(context.db.kysely, now);
  const billing = { issuer: context.issuer, timeZone: context.billingTimeZone, now };
  return eachLease(context.db, billable, async (tx, lease) => {
    if (lease.grantJws === null) return false;
    await lockParty(tx, lease.clientPartyId);
    const basis = await readBillBasis(tx, lease, billing.timeZone);
    const earlier: BillDocument[] = [...basis.earlier];
    for (;;) {
      const due = timeToClose({ ...basis, earlier }, now);
      if (due === null) break;
      const facts = { ...basis, earlier };
      earlier.push(await closeBill(tx, lease, facts, due, billing));
    }
    return earlier.length > basis.earlier.length;
  });
}

type BillBasis = Awaited<ReturnType<typeof readBillBasis>>;

/** What a bill of this lease is made from, as far as it is known now. */
export async function readBillBasis(db: Kysely<DB>, lease: Lease, timeZone: string) {
  const all = await readChain(db, lease.leaseId, lease.usageSeqFinal);
  // Records behind a gap are not billed: what lies before them is not known.
  const gap = all.findIndex(({ record }, index) => record.seq !== index + 1);
  const bills = await listBillsOfLease(db, lease.leaseId);
  return {
    earlier: bills.map(({ bill }) => bill),
    records: gap < 0 ? all : all.slice(0, gap),
    seqs: (await listSeqs(db, lease.leaseId)).filter(
      (seq) => lease.usageSeqFinal === null || BigInt(seq) <= lease.usageSeqFinal,
    ),
    events: await listDeliveryEvents(db, lease.leaseId, DELIVERY_EVENTS),
    endedAt: lease.endedAt,
    usageSeqFinal: lease.usageSeqFinal,
    isHostRemoved: lease.removalJws !== null,
    timeZone,
    ...grantedPeriod(lease),
    wipedAt: wipedAtOf(lease),
  };
}

/** The bill that would close now, of so many records: also what `usage show` tells before it does. */
export function billInput(
  lease: Lease,
  basis: BillBasis,
  due: TimeToClose,
  now: Date,
): Omit<BillInput, "billId"> {
  const { timeZone, earlier, grantedNs, grantedFrom, wipedAt, events } = basis;
  const tail = lease.removalJws === null ? basis.usageSeqFinal : null;
  return {
    leaseId: lease.leaseId,
    client: { id: lease.clientPartyId, name: lease.clientName },
    lender: { id: lease.lenderPartyId, name: lease.lenderName },
    host: { id: lease.hostId, name: lease.hostName },
    partition: { id: lease.partitionId, name: lease.partitionName },
    ...{ tariff: lease.tariff, cpuMode: lease.cpuMode, size: lease.size },
    ...{ timeZone, earlier, grantedNs, grantedFrom, wipedAt, events },
    kind: due.kind,
    period: due.period,
    records: basis.records.slice(0, due.count),
    missing: due.incomplete ? missingRecords(basis.seqs, due.count, tail) : [],
    closedAt: now,
    incomplete: due.incomplete,
  };
}

async function closeBill(
  tx: Kysely<DB>,
  lease: Lease,
  basis: BillBasis,
  due: TimeToClose,
  { issuer, now }: Billing,
): Promise<BillDocument> {
  const input = billInput(lease, basis, due, now);
  const document = makeBill({ ...input, billId: newId("bill", now.getTime()) });
  await insertBill(tx, {
    document,
    jws: sealBill(document, issuer.serverId, issuer.key),
    closedAt: now,
  });
  await insertCharges(tx, document, chargesUpTo(document, input), (resource) =>
    priceMicrosPerHour(resource, lease.tariff, lease.cpuMode),
  );
  await postBill(tx, {
    billId: document.billId,
    leaseId: lease.leaseId,
    clientPartyId: lease.clientPartyId,
    lenderPartyId: lease.lenderPartyId,
    amounts: document,
    terms: lease.tariff,
    last: document.kind !== "interim",
    now,
  });
  const { billId } = document;
  await queueDeliveries(tx, { billId, customerPartyId: lease.clientPartyId, now });
  if (due.kind === "correction" && !due.incomplete) await forgetLateUsage(tx, lease.leaseId);
  await insertLeaseEvent(tx, {
    leaseId: lease.leaseId,
    kind: due.kind === "final" ? "billed" : `billed-${due.kind}`,
    detail: {
      billId: document.billId,
      number: document.number,
      totalMicros: document.totalMicros,
      ...(due.incomplete ? { incomplete: true, records: due.count } : {}),
    },
    at: now,
  });
  return document;
}

/** What each record comes to from the lease's begin to the bill's end. */
function chargesUpTo(
  { period, kind }: BillDocument,
  { records, grantedNs }: Omit<BillInput, "billId">,
) {
  const untilMs = kind === "interim" && period?.end ? Date.parse(period.end) : null;
  const bySeq = new Map(records.map(({ record }) => [record.seq, record]));
  return rateRecords(records, { grantedNs }).flatMap(({ seq, resource, quantity }) => {
    const record = bySeq.get(seq);
    if (record === undefined) return [];
    return [{ seq, resource, quantity: portion(quantity, record, { fromMs: null, untilMs }) }];
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
