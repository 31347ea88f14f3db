import { newId } from "../../../unit/id.ts";
import { bill, type CapacityMutation, HASH, line, more } from "./bends.sample.ts";

/** Done to the second bill of an honest export, and the finding that must name it. */
export const BILL_MUTATIONS: readonly CapacityMutation[] = [
  ["a number out of turn", bill(() => ({ number: 7 })), "bill-number-differs"],
  ["another bill before", bill(() => ({ previous: null })), "bill-previous-differs"],
  [
    "a time to bill that was billed",
    { exported: (e) => ({ ...e, bills: [...e.bills, ...e.bills.slice(1)] }) },
    "bill-act-repeated",
  ],
  [
    "a bill changed after its seal",
    {
      exported: (e) => ({
        ...e,
        bills: e.bills.map((one) => ({ ...one, bill: { ...one.bill, totalMicros: "1" } })),
      }),
    },
    "seal-other-document",
  ],
  [
    "another tariff",
    bill((b) => ({
      tariffs: b.tariffs.map((one) => ({ ...one, tariff: { ...one.tariff, operatorFeePpm: 1 } })),
    })),
    "tariff-not-granted",
  ],
  ["a tariff left out", bill(() => ({ tariffs: [] })), "tariff-missing"],
  ["another currency", bill(() => ({ currency: "USD" })), "currency-differs"],
  ["a line left out", bill(({ lines }) => ({ lines: lines.slice(1) })), "line-missing"],
  ["a line twice", bill(({ lines }) => ({ lines: [...lines, ...lines] })), "line-repeated"],
  ["a line that no record asks for", line(() => ({ rule: "unreturned" })), "line-unexpected"],
  ["another quantity", line((l) => ({ quantity: more(l.quantity) })), "line-quantity-differs"],
  ["other use", line((l) => ({ used: more(l.used) })), "line-used-differs"],
  ["another excess", line((l) => ({ excess: more(l.excess ?? "0") })), "line-excess-differs"],
  [
    "another threshold in the line",
    line(() => ({ threshold: { kind: "allowance", milliCoreNs: "1" } })),
    "line-threshold-differs",
  ],
  [
    "another name of the partition",
    line((l) => ({ partition: { ...l.partition, name: "p2" + "x" } })),
    "line-place-differs",
  ],
  ["another unit", line(() => ({ unit: "byteNs" })), "line-unit-differs"],
  ["another rounding", line(() => ({ rounding: "down" })), "line-rounding-differs"],
  [
    "an increment more",
    line((l) => ({ billedQuantity: more(l.billedQuantity, 60_000_000_000_000n) })),
    "line-billed-differs",
  ],
  [
    "another price",
    line((l) => ({ priceMicrosPerHour: more(l.priceMicrosPerHour) })),
    "line-price-differs",
  ],
  [
    "what was charged before, forgotten",
    line(() => ({ chargedMicros: "0" })),
    "line-charged-differs",
  ],
  ["another amount", line((l) => ({ amountMicros: more(l.amountMicros) })), "line-amount-differs"],
  ["other records", line(() => ({ records: [] })), "line-records-differ"],
  [
    "a correction of nothing",
    line(() => ({ corrects: { billId: newId("bill"), number: 1 } })),
    "line-corrects-differs",
  ],
  [
    "a correction of a record that is as it should be",
    bill(({ evidence }) => ({
      corrected: evidence.chains.slice(0, 1).map(({ chainId }) => {
        return { chainId, seq: 1, meteredQuantity: "0", debits: [], overdraft: "0" };
      }),
    })),
    "corrected-differs",
  ],
  [
    "records that were not looked at for what they draw on",
    bill(({ evidence }) => ({ evidence: { ...evidence, drawn: [] } })),
    "evidence-seq-differs",
  ],
  ["another sum", bill((b) => ({ sumMicros: more(b.sumMicros) })), "sum-differs"],
  ["another carry", bill((b) => ({ carriedMicros: more(b.carriedMicros) })), "carried-differs"],
  ["another total", bill((b) => ({ totalMicros: more(b.totalMicros) })), "total-differs"],
  [
    "another remainder",
    bill((b) => ({ remainderMicros: more(b.remainderMicros) })),
    "remainder-differs",
  ],
  ["another fee", bill((b) => ({ feeMicros: more(b.feeMicros) })), "fee-differs"],
  ["another time of use", bill(() => ({ used: null })), "used-differs"],
  ["incomplete with nothing missing", bill(() => ({ incomplete: true })), "incomplete-differs"],
  [
    "evidence with another hash",
    bill((b) => ({
      evidence: { ...b.evidence, chains: b.evidence.chains.map((one) => ({ ...one, hash: HASH })) },
    })),
    "evidence-hash-differs",
  ],
  [
    "evidence that ends earlier",
    bill((b) => ({
      evidence: { ...b.evidence, chains: b.evidence.chains.map((one) => ({ ...one, seq: 1 })) },
    })),
    "evidence-seq-differs",
  ],
  [
    "evidence that leaves a chain out",
    bill((b) => ({ evidence: { ...b.evidence, chains: b.evidence.chains.slice(1) } })),
    "evidence-chain-missing",
  ],
];
