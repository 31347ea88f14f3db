import type { HashedRecord } from "../../meter/record.ts";
import type { BillDocument } from "../bill.ts";
import { seqsWithin } from "./lines.ts";
import { stretchOf } from "./periods.ts";
import { roundedTotal } from "./prices.ts";
import { shareWithin } from "./quantities.ts";
import type { Report } from "./report.ts";

/** Sum, rounding, total, and the lengths that the bill states, from its lines and the records. */
export function checkSums(
  bill: BillDocument,
  earlier: readonly BillDocument[],
  records: readonly HashedRecord[],
  where: string,
  report: Report,
): void {
  const sumMicros = total(bill.lines.map(({ amountMicros }) => BigInt(amountMicros)));
  const carriedMicros = total(earlier.map(({ remainderMicros }) => BigInt(remainderMicros)));
  const totalMicros = roundedTotal(carriedMicros + sumMicros, bill.tariff);
  const stretch = bill.period === null ? null : stretchOf(bill.period, bill.number === 1);
  const seqs = new Set(stretch === null ? [] : seqsWithin(records, stretch));
  const within = records.map(({ record }) => record).filter(({ seq }) => seqs.has(seq));
  const length = (name: "elapsedNs" | "deliveredNs") =>
    total(
      within.map((record) =>
        shareWithin(
          record,
          BigInt(record[name]),
          stretch?.beginMs ?? -Infinity,
          stretch?.endMs ?? Infinity,
        ),
      ),
    );
  const compare = [
    ["sum-differs", "sumMicros", sumMicros],
    ["carried-differs", "carriedMicros", carriedMicros],
    ["total-differs", "totalMicros", totalMicros],
    ["remainder-differs", "remainderMicros", sumMicros - totalMicros],
    ["elapsed-differs", "elapsedNs", length("elapsedNs")],
    ["delivered-differs", "deliveredNs", length("deliveredNs")],
  ] as const;
  for (const [code, name, right] of compare) {
    const message = `${name} is ${bill[name]}; the records make it ${right}`;
    report.require(bill[name] === right.toString(), code, `${where}.${name}`, message);
  }
  const [first, last] = [within.at(0), within.at(-1)];
  const startMs = Math.max(Date.parse(first?.from.at ?? ""), stretch?.beginMs ?? 0);
  const endMs = Math.min(Date.parse(last?.to.at ?? ""), stretch?.endMs ?? 0);
  const isUsed = bill.used !== null && Date.parse(bill.used.start) === startMs;
  const isRight = first ? isUsed && Date.parse(bill.used?.end ?? "") === endMs : bill.used === null;
  const message = "from when to when it was used is not what the records say";
  report.require(isRight, "used-differs", `${where}.used`, message);
}

function total(parts: readonly bigint[]): bigint {
  return parts.reduce((sum, part) => sum + part, 0n);
}
