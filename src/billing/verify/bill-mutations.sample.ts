import type { UsageRecord } from "../../meter/record.ts";
import { bill, line, type Mutation, plus, shared, shown3 } from "./mutation.sample.ts";

const busy = (record: UsageRecord): UsageRecord => ({ ...record, cpuNs: "9000000000" });

/** For tests: bills bent before the server sealed them. */
export const BILL_MUTATIONS: readonly Mutation[] = [
  [
    "another period",
    bill((b) => ({ period: { start: "2027-01-01T00:00:00Z", end: b.period?.end ?? "" } })),
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
