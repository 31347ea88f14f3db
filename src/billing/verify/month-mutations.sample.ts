import type { BillDocument, BillLine } from "../bill.ts";
import type { LeaseExport } from "../export.ts";
import type { FindingCode } from "./finding.ts";
import type { MonthsBend } from "./months.sample.ts";
import { OTHER, plus } from "./mutation.sample.ts";

export type MonthMutation = readonly [string, MonthsBend, FindingCode];

const one = (
  number: number,
  change: (bill: BillDocument) => Partial<BillDocument>,
): MonthsBend => ({
  bill: (good) => (good.number === number ? { ...good, ...change(good) } : good),
});
const lineOf = (
  number: number,
  index: number,
  change: (line: BillLine) => Partial<BillLine>,
): MonthsBend =>
  one(number, ({ lines }) => ({
    lines: lines.map((line, at) => (at === index ? { ...line, ...change(line) } : line)),
  }));
const bills = (change: (bills: LeaseExport["bills"]) => LeaseExport["bills"]): MonthsBend => ({
  lease: (lease) => ({ ...lease, bills: change(lease.bills) }),
});
const cutAt = (end: string) =>
  one(1, ({ period }) => ({ period: { start: period?.start ?? "", end } }));

/** For tests: a lease over two edges of months, with four bills, bent before they were sealed. */
export const MONTH_MUTATIONS: readonly MonthMutation[] = [
  ["the bill of a month left out", bills((all) => all.toSpliced(1, 1)), "bill-number-differs"],
  ["the first bill left out", bills((all) => all.slice(1)), "bill-number-differs"],
  ["a bill twice", bills((all) => [...all, ...all.slice(-1)]), "bill-number-differs"],
  [
    "two bills swapped",
    bills(([a, b, ...c]) => [b, a, ...c].filter((x) => !!x)),
    "bill-number-differs",
  ],
  [
    "a bill in the place of another of the same number",
    bills((all) =>
      all.map((x) => (x.bill.number === 2 ? { ...x, bill: { ...x.bill, billId: OTHER.bill } } : x)),
    ),
    "bill-previous-differs",
  ],
  ["a bill that follows none", one(2, () => ({ previous: null })), "bill-previous-differs"],
  [
    "a bill that follows another document",
    one(3, ({ previous }) => ({
      previous: previous && { ...previous, documentSha256: "e".repeat(64) },
    })),
    "bill-previous-differs",
  ],
  ["an interim bill after the final one", one(4, () => ({ kind: "interim" })), "bill-kind-differs"],
  ["a second final bill", one(4, () => ({ kind: "final" })), "bill-kind-differs"],
  [
    "a correction before the final bill",
    one(2, () => ({ kind: "correction", period: null })),
    "bill-kind-differs",
  ],
  [
    "a correction with a period",
    one(4, () => ({ period: { start: "2027-03-01T00:00:00Z", end: null } })),
    "period-differs",
  ],
  ["a month cut at UTC's midnight", cutAt("2027-02-01T00:00:00.000Z"), "period-differs"],
  ["a month cut a millisecond early", cutAt("2027-01-31T22:59:59.999Z"), "period-differs"],
  ["a time zone that is none", one(1, () => ({ timeZone: "Europe/Nowhere" })), "time-zone-differs"],
  ["months of another time zone", { zone: "UTC" }, "time-zone-differs"],
  [
    "a month that begins later than the one before ended",
    one(2, ({ period }) => ({
      period: { start: "2027-02-01T00:00:00.000Z", end: period?.end ?? "" },
    })),
    "period-differs",
  ],
  [
    "a final bill that goes over an edge",
    one(2, ({ period }) => ({
      kind: "final",
      period: { start: period?.start ?? "", end: null },
      used: { start: period?.start ?? "", end: "2027-03-02T00:00:00Z" },
    })),
    "month-edge-missing",
  ],
  [
    "a month closed before its records reach its end, and not said",
    {
      bill: (good) => {
        const { incomplete: _incomplete, estimated: _estimated, ...bill } = good;
        if (good.number !== 2) return good;
        return { ...bill, evidence: { ...bill.evidence, missing: [] } };
      },
    },
    "period-not-reached",
  ],
  [
    "missing numbers that are not named",
    one(2, (b) => ({ evidence: { ...b.evidence, missing: [] } })),
    "missing-differs",
  ],
  [
    "fewer numbers named than are missing",
    one(2, (b) => ({ evidence: { ...b.evidence, missing: [{ fromSeq: 82, toSeq: null }] } })),
    "missing-differs",
  ],
  [
    "missing numbers in no order",
    one(3, (b) => ({
      evidence: { ...b.evidence, missing: [...b.evidence.missing, { fromSeq: 3, toSeq: 2 }] },
    })),
    "missing-differs",
  ],
  [
    "a final bill that does not know how many are missing",
    one(3, (b) => ({
      evidence: { ...b.evidence, missing: b.evidence.missing.map((m) => ({ ...m, toSeq: null })) },
    })),
    "missing-differs",
  ],
  [
    "a correction that knows less than what it corrects",
    one(4, (b) => ({ evidence: { ...b.evidence, finalSeq: 5 } })),
    "evidence-seq-differs",
  ],
  [
    "more of a month than was used in it",
    lineOf(1, 0, (l) => ({ quantity: plus(l.quantity, 1500n) })),
    "line-quantity-differs",
  ],
  [
    "a record on an edge billed whole on both sides",
    one(2, ({ lines }) => ({
      lines: lines.map((l, at) =>
        at === 1 ? { ...l, quantity: plus(l.quantity, 10n ** 22n) } : l,
      ),
    })),
    "line-quantity-differs",
  ],
  ["a correction left out", one(4, () => ({ lines: [] })), "line-missing"],
  [
    "one line of a correction left out",
    one(3, ({ lines }) => ({ lines: lines.slice(0, -1) })),
    "line-missing",
  ],
  [
    "a correction twice",
    one(4, ({ lines }) => ({ lines: [...lines, ...lines.slice(0, 1)] })),
    "line-repeated",
  ],
  [
    "a larger correction",
    lineOf(4, 0, (l) => ({ quantity: plus(l.quantity, 1n) })),
    "line-quantity-differs",
  ],
  [
    "a correction with its sign turned",
    lineOf(4, 0, (l) => ({ quantity: `-${l.quantity}` })),
    "line-quantity-differs",
  ],
  [
    "a correction at another amount",
    lineOf(4, 1, (l) => ({ amountMicros: plus(l.amountMicros, -1n) })),
    "line-amount-differs",
  ],
  [
    "a correction of another bill",
    lineOf(4, 0, () => ({ corrects: { billId: OTHER.bill, number: 3 } })),
    "line-corrects-differs",
  ],
  [
    "a correction that does not say of what",
    one(4, ({ lines }) => ({ lines: lines.map(({ corrects: _corrects, ...line }) => line) })),
    "line-corrects-differs",
  ],
  [
    "a correction of a month that is not billed",
    lineOf(4, 0, () => ({ period: { start: "2027-06-01T00:00:00Z", end: null } })),
    "line-corrects-differs",
  ],
  [
    "another event as the cause",
    lineOf(2, 5, (l) => (l.event ? { event: { ...l.event, reason: "by-the-client" } } : {})),
    "line-event-differs",
  ],
  [
    "an event moved in time",
    lineOf(2, 5, (l) => (l.event ? { event: { ...l.event, at: "2027-02-04T09:00:00.000Z" } } : {})),
    "line-event-differs",
  ],
  ["events left out", { lease: (lease) => ({ ...lease, events: [] }) }, "line-event-differs"],
  [
    "one outage in two lines",
    one(2, ({ lines }) => ({ lines: [...lines, ...lines.slice(-1)] })),
    "line-repeated",
  ],
  ["an outage charged for", lineOf(2, 5, () => ({ amountMicros: "5000" })), "line-amount-differs"],
  [
    "an outage left out",
    one(2, ({ lines }) => ({ lines: lines.slice(0, -1) })),
    "line-quantity-differs",
  ],
  [
    "a remainder carried twice",
    one(2, (b) => ({ carriedMicros: plus(b.carriedMicros, -3814n) })),
    "carried-differs",
  ],
  ["a remainder not carried", one(3, () => ({ carriedMicros: "0" })), "carried-differs"],
  [
    "a total rounded by itself alone",
    one(2, (b) => ({ totalMicros: plus(b.totalMicros, 10_000n) })),
    "total-differs",
  ],
  [
    "the month's length",
    one(2, (b) => ({ elapsedNs: plus(b.elapsedNs, 3_600_000_000_000n) })),
    "elapsed-differs",
  ],
  [
    "all bills together above the quote",
    one(4, (b) => ({ totalMicros: plus(b.totalMicros, 10n ** 9n) })),
    "total-above-quote",
  ],
  [
    "a lease twice",
    { exported: (e) => ({ ...e, leases: [...e.leases, ...e.leases] }) },
    "lease-repeated",
  ],
  [
    "another server's name",
    { exported: (e) => ({ ...e, serverId: "server-2" }) },
    "issuer-differs",
  ],
  [
    "an export of another format",
    { exported: (e) => ({ ...e, format: "other" }) },
    "export-malformed",
  ],
  [
    "an export of a version to come",
    { exported: (e) => ({ ...e, version: 3 }) },
    "export-malformed",
  ],
];
