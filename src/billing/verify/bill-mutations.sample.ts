import type { UsageRecord } from "../../meter/record.ts";
import { bill, line, type Mutation, OTHER, plus, shared, shown3 } from "./mutation.sample.ts";

const busy = (record: UsageRecord): UsageRecord => ({ ...record, cpuNs: "9000000000" });

/** For tests: bills bent before the server sealed them. */
export const BILL_MUTATIONS: readonly Mutation[] = [
  [
    "another period",
    bill(() => ({ period: { start: "2027-01-01T00:00:00Z", end: null } })),
    "period-differs",
  ],
  ["no period", bill(() => ({ period: null })), "period-differs"],
  ["another length", bill((b) => ({ elapsedNs: plus(b.elapsedNs, 1n) })), "elapsed-differs"],
  [
    "another delivered time",
    bill((b) => ({ deliveredNs: plus(b.deliveredNs, 1n) })),
    "delivered-differs",
  ],
  ["a line left out", bill((b) => ({ lines: b.lines.slice(1) })), "line-missing"],
  [
    "the line for undelivered time left out",
    bill((b) => ({ lines: b.lines.slice(0, -1) })),
    "line-missing",
  ],
  ["a line twice", bill((b) => ({ lines: [...b.lines, ...b.lines.slice(0, 1)] })), "line-repeated"],
  [
    "a line that nothing is a reason for",
    line(0, () => ({ rule: "not-delivered" })),
    "line-unexpected",
  ],
  ["a line in another unit", line(0, () => ({ unit: "ns" })), "line-unit-differs"],
  [
    "a larger quantity",
    line(1, (l) => ({ quantity: plus(l.quantity, 1n) })),
    "line-quantity-differs",
  ],
  [
    "another price",
    line(2, (l) => ({ priceMicrosPerHour: plus(l.priceMicrosPerHour, 1n) })),
    "line-price-differs",
  ],
  [
    "a larger amount",
    line(0, (l) => ({ amountMicros: plus(l.amountMicros, 1n) })),
    "line-amount-differs",
  ],
  [
    "another time of use",
    bill((b) => ({ used: { start: "2027-01-31T08:00:01Z", end: b.used?.end ?? "" } })),
    "used-differs",
  ],
  ["no time of use", bill(() => ({ used: null })), "used-differs"],
  ["another month's end", bill(() => ({ timeZone: "Pacific/Kiritimati" })), "time-zone-differs"],
  ["a number that is not the first", bill(() => ({ number: 2 })), "bill-number-differs"],
  [
    "a bill before it that is not there",
    bill((b) => ({ previous: { billId: b.billId, documentSha256: "f".repeat(64) } })),
    "bill-previous-differs",
  ],
  [
    "a correction of nothing",
    bill(() => ({ kind: "correction", period: null })),
    "bill-kind-differs",
  ],
  ["a remainder from nowhere", bill(() => ({ carriedMicros: "7" })), "carried-differs"],
  [
    "a longer granted time than any grant's",
    bill((b) => ({ evidence: { ...b.evidence, grantedUntil: "2027-01-31T12:00:00.000Z" } })),
    "granted-until-differs",
  ],
  [
    "numbers that are said to be missing and are not",
    bill((b) => ({ evidence: { ...b.evidence, missing: [{ fromSeq: 2, toSeq: 3 }] } })),
    "missing-differs",
  ],
  ["a line of another host", line(0, () => ({ host: OTHER.host })), "line-place-differs"],
  [
    "a line of another partition",
    line(0, () => ({ partition: OTHER.partition })),
    "line-place-differs",
  ],
  [
    "a line that leads to other records",
    line(0, () => ({ records: { fromSeq: 2, toSeq: 3 } })),
    "line-records-differ",
  ],
  ["a line that leads nowhere", line(0, () => ({ records: null })), "line-records-differ"],
  [
    "a line of another period",
    line(0, () => ({ period: { start: "2026-12-01T00:00:00Z", end: null } })),
    "line-corrects-differs",
  ],
  [
    "a line that corrects its own bill",
    line(0, () => ({ corrects: { billId: OTHER.bill, number: 1 } })),
    "line-corrects-differs",
  ],
  [
    "an event that the lease never had",
    line(4, () => ({
      event: { seq: 3, at: "2027-01-31T08:03:20Z", kind: "undelivered", reason: "no-answer" },
    })),
    "line-event-differs",
  ],
  [
    "more said not to be charged than it would have cost",
    line(4, (l) => ({ notChargedMicros: plus(l.notChargedMicros ?? "0", 1n) })),
    "line-not-charged-differs",
  ],
  [
    "time that is not charged for another cause",
    line(4, () => ({ cause: "unwitnessed" })),
    "line-unexpected",
  ],
  ["undelivered time charged", line(4, () => ({ amountMicros: "1000" })), "line-amount-differs"],
  ["another sum", bill((b) => ({ sumMicros: plus(b.sumMicros, 1n) })), "sum-differs"],
  ["a larger total", bill((b) => ({ totalMicros: plus(b.totalMicros, 10_000n) })), "total-differs"],
  [
    "a total above what was ever quoted",
    bill((b) => ({ totalMicros: plus(b.totalMicros, 10n ** 9n) })),
    "total-above-quote",
  ],
  [
    "another remainder",
    bill((b) => ({ remainderMicros: plus(b.remainderMicros, 1n) })),
    "remainder-differs",
  ],
  [
    "more time charged than was granted",
    { grant: (g) => ({ ...g, period: { ...g.period, end: "2027-01-31T08:01:00Z" } }) },
    "line-quantity-differs",
  ],

  [
    "shared cpu charged by what was reserved",
    shared(line(0, () => ({ rule: "reserved-while-delivered" }))),
    "line-unexpected",
  ],
  [
    "dedicated cpu charged by use",
    line(0, () => ({ rule: "used-while-delivered" })),
    "line-unexpected",
  ],
  [
    "more use of shared cpu than was metered",
    shared(line(0, (l) => ({ quantity: plus(l.quantity, 1n) }))),
    "line-quantity-differs",
  ],
  [
    "shared cpu at the price of dedicated",
    shared(line(0, () => ({ priceMicrosPerHour: "40003" }))),
    "line-price-differs",
  ],
  [
    "a dearer core than was used",
    shared(line(0, (l) => ({ amountMicros: plus(l.amountMicros, 1n) }))),
    "line-amount-differs",
  ],
  [
    "a metered use that was altered after the bill",
    shared(shown3(({ record, hash }) => ({ hash, record: { ...record, cpuNs: "1" } }))),
    "line-quantity-differs",
  ],
  [
    "use while nothing was delivered, made to count",
    {
      ...shared({ records: (all) => all.map((r) => (r.deliveredNs === "0" ? busy(r) : r)) }),
      bill: (b) => ({
        ...b,
        lines: b.lines.map((l, at) =>
          at === 0 ? { ...l, quantity: plus(l.quantity, 9_000_000_000_000n) } : l,
        ),
      }),
    },
    "line-quantity-differs",
  ],
  [
    "a total above the quote of the shared price",
    shared(bill((b) => ({ totalMicros: plus(b.totalMicros, 10n ** 9n) }))),
    "total-above-quote",
  ],
];
