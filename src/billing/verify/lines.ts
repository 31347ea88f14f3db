import type { HashedRecord } from "../../meter/record.ts";
import type { BillDocument, BillLine } from "../bill.ts";
import type { Expected } from "./charge.ts";
import type { Report } from "./report.ts";

/** Compares what the bill says with what it must say. */
export function checkBill(
  bill: BillDocument,
  expected: Expected,
  records: readonly HashedRecord[],
  report: Report,
): void {
  checkLines(bill.lines, expected.lines, report);
  const compare = [
    ["sum-differs", "sumMicros", bill.sumMicros, expected.sumMicros],
    ["total-differs", "totalMicros", bill.totalMicros, expected.totalMicros],
    [
      "remainder-differs",
      "remainderMicros",
      bill.remainderMicros,
      expected.sumMicros - expected.totalMicros,
    ],
    ["elapsed-differs", "elapsedNs", bill.elapsedNs, expected.elapsedNs],
    ["delivered-differs", "deliveredNs", bill.deliveredNs, expected.deliveredNs],
  ] as const;
  for (const [code, name, stated, right] of compare) {
    const message = `${name} is ${stated}; the records make it ${right}`;
    report.require(stated === right.toString(), code, `bill.${name}`, message);
  }
  report.require(
    bill.period?.start === records[0]?.record.from.at &&
      bill.period?.end === records.at(-1)?.record.to.at,
    "period-differs",
    "bill.period",
    "the bill's period is not that of its records",
  );
}

function checkLines(
  lines: readonly BillLine[],
  expectedLines: readonly BillLine[],
  report: Report,
): void {
  const missing = new Map(expectedLines.map((line) => [nameOf(line), line]));
  const expectedNames = new Set(missing.keys());
  for (const [index, line] of lines.entries()) {
    const where = `bill.lines[${index}]`;
    const name = nameOf(line);
    const expected = missing.get(name);
    if (expected === undefined) {
      if (expectedNames.has(name)) report.add("line-repeated", where, `${name} is charged twice`);
      else report.add("line-unexpected", where, `the records give no reason for a line ${name}`);
      continue;
    }
    missing.delete(name);
    compareLine(line, expected, where, report);
  }
  for (const name of missing.keys()) {
    report.add("line-missing", "bill.lines", `there is no line ${name}`);
  }
}

function compareLine(line: BillLine, expected: BillLine, where: string, report: Report): void {
  const compare = [
    ["line-unit-differs", "unit"],
    ["line-quantity-differs", "quantity"],
    ["line-price-differs", "priceMicrosPerHour"],
    ["line-amount-differs", "amountMicros"],
  ] as const;
  for (const [code, member] of compare) {
    const message = `${nameOf(line)}: ${member} is ${line[member]}, not ${expected[member]}`;
    report.require(line[member] === expected[member], code, where, message);
  }
}

function nameOf({ resource, rule }: BillLine): string {
  return `${resource} ${rule}`;
}
