import type { Grant } from "../../enablement/grant.ts";
import type { DeliveryEvent } from "../../meter/cause.ts";
import { SAMPLE_TERMS, sampleReading, sampleRecords } from "../../meter/metered.sample.ts";
import type { HashedRecord } from "../../meter/record.ts";
import { sign } from "../../signature/envelope.ts";
import { sampleBillInput } from "../bill.sample.ts";
import type { BillDocument, BillKind, MissingRecords } from "../bill.ts";
import type { LeaseExport, UsageExport } from "../export.ts";
import { makeBill } from "../make-bill.ts";
import { nextPeriod } from "../period.ts";
import { sealBill } from "../seal.ts";
import {
  AGENT_KEY,
  batchesOf,
  exportOf,
  honestGrant,
  SERVER_ID,
  SERVER_KEY,
  wipeReceiptFor,
} from "./export.sample.ts";

const DAY = 86_400;
const QUARTER = DAY / 4;
export const ZONE = "Europe/Berlin";
const FROM = "2027-01-31T08:00:00Z";

/** For tests: where an export of a lease over two edges of months, with four bills, is bent. */
export interface MonthsBend {
  readonly zone?: string;
  /** How many records were known at each edge and at the end. */
  readonly known?: readonly [january: number, february: number, end: number];
  /** Bent before sealing; the bills after it are made from what it says then. */
  readonly bill?: (bill: BillDocument) => BillDocument;
  readonly lease?: (lease: LeaseExport) => LeaseExport;
  readonly exported?: (exported: UsageExport) => unknown;
}

/** Records that lie over the edges: from 20:00 to 02:00, 15 hours and 28 days on. */
const REACHES_JANUARY = 3;
const REACHES_FEBRUARY = 115;

const EVENTS: readonly DeliveryEvent[] = [
  { seq: 7, at: "2027-02-03T09:00:00.000Z", kind: "undelivered", reason: "process-died" },
  { seq: 8, at: "2027-02-03T14:00:00.000Z", kind: "delivered-again", reason: null },
];

/**
 * Read every six hours from 31 January to 3 March; for six hours it did not answer. The edges of
 * Berlin's months lie within records. February closed incomplete, since the records of its last
 * week came late; March so, since the last two did; and then there was a correction.
 */
export function monthsExport(bend: MonthsBend = {}): unknown {
  const grant: Grant = {
    ...honestGrant("dedicated"),
    period: { start: FROM, end: "2027-03-03T08:00:00Z" },
    billingTimeZone: ZONE,
  };
  const grantJws = sign("sublet-grant", grant, SERVER_KEY);
  const records = monthsRecords(grantJws);
  const all = records.length;
  const bills: BillDocument[] = [];
  const close = (kind: BillKind, count: number, missing: readonly MissingRecords[]) => {
    const next = nextPeriod(bills, { grantedFrom: FROM, timeZone: bend.zone ?? ZONE });
    const open = { start: next.start, end: null };
    const made = makeBill({
      ...sampleBillInput(records.slice(0, count)),
      billId: `bill_01k000000000000000000${bills.length}`,
      timeZone: bend.zone ?? ZONE,
      kind,
      period: kind === "correction" ? null : kind === "interim" ? next : open,
      earlier: bills,
      missing,
      grantedNs: BigInt(31 * DAY) * 1_000_000_000n,
      grantedFrom: FROM,
      wipedAt: kind === "interim" ? null : "2027-03-03T08:00:05Z",
      events: EVENTS,
      incomplete: missing.length > 0,
    });
    bills.push(bend.bill?.(made) ?? made);
  };
  const [january, february, end] = bend.known ?? [3, 80, all - 2];
  const rest = (count: number, reached: number, toSeq: number | null) =>
    count >= reached ? [] : [{ fromSeq: count + 1, toSeq }];
  close("interim", january, rest(january, REACHES_JANUARY, null));
  close("interim", february, rest(february, REACHES_FEBRUARY, null));
  close("final", end, rest(end, all, all));
  if (end < all) close("correction", all, []);
  const lease: LeaseExport = {
    leaseId: SAMPLE_TERMS.chainId,
    grantJws,
    extensionGrantJws: [],
    wipeReceiptJws: sign(
      "sublet-wipe-receipt",
      wipeReceiptFor(grant, records, grantJws),
      AGENT_KEY,
    ),
    events: [...EVENTS],
    usageBatches: batchesOf(records).map((batch) => sign("sublet-usage", batch, AGENT_KEY)),
    agentKey: AGENT_KEY.publicJwk,
    bills: bills.map((bill) => ({ bill, billJws: sealBill(bill, SERVER_ID, SERVER_KEY) })),
  };
  const exported = exportOf([bend.lease?.(lease) ?? lease]) as UsageExport;
  return bend.exported?.(exported) ?? exported;
}

export function monthsRecords(grantJws: string): readonly HashedRecord[] {
  const readings = Array.from({ length: 31 * 4 + 1 }, (_, index) =>
    sampleReading(index * QUARTER, { answered: index !== 12 }),
  );
  return sampleRecords(grantJws, readings, SAMPLE_TERMS, {
    gapAfterNs: BigInt(DAY) * 1_000_000_000n,
    recordEveryNs: BigInt(QUARTER) * 1_000_000_000n,
  });
}
