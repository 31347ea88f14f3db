import { formatMoneyMicros } from "../../unit/money.ts";
import type { BillDocument, BillLine } from "../bill.ts";

const NS_PER_HOUR = 3_600_000_000_000n;
const PER_UNIT = { milliCoreNs: 1000n, byteNs: 1n << 30n, ns: 1n } as const;
const UNITS = { milliCoreNs: "core-hours", byteNs: "GiB-hours", ns: "hours" } as const;

/** A bill as plain text, for people who have no Sublet: every line of it, and what it comes to. */
export function billStatement(bill: BillDocument): string {
  const { currency } = bill.tariff;
  const money = (micros: string) => `${formatMoneyMicros(BigInt(micros))} ${currency}`;
  const head = [
    ["Bill", `${bill.billId} (number ${bill.number} of its lease, ${bill.kind})`],
    ["Lease", bill.leaseId],
    ["Client", bill.client.name],
    ["Lender", bill.lender.name],
    ["Partition", `${bill.host.name}/${bill.partition.name}`],
    ["Used", bill.used ? `${bill.used.start} to ${bill.used.end}` : "nothing"],
    ["Closed", bill.closedAt],
    ...(bill.incomplete ? [["Incomplete", "records are missing; nothing is estimated"]] : []),
  ];
  const lines = bill.lines.map((line) => [
    line.resource,
    ruleOf(line),
    quantityOf(line),
    `${formatMoneyMicros(BigInt(line.priceMicrosPerHour))}/h`,
    money(line.amountMicros),
  ]);
  const foot = [
    ["Sum", money(bill.sumMicros)],
    ...(bill.carriedMicros === "0" ? [] : [["Carried from before", money(bill.carriedMicros)]]),
    ["Total", money(bill.totalMicros)],
  ];
  const table = lines.length > 0 ? columns(lines) : "nothing was used";
  return [columns(head), table, columns(foot)].join("\n\n");
}

function ruleOf({ rule, cause, corrects }: BillLine): string {
  return `${rule}${cause ? ` (${cause})` : ""}${corrects ? `, corrects bill ${corrects.number}` : ""}`;
}

/** To four decimals, cut; the bill itself is exact. */
export function quantityOf({ quantity, unit }: Pick<BillLine, "quantity" | "unit">): string {
  const amount = BigInt(quantity);
  const size = amount < 0n ? -amount : amount;
  const digits = ((size * 10_000n) / (PER_UNIT[unit] * NS_PER_HOUR)).toString().padStart(5, "0");
  const sign = amount < 0n ? "-" : "";
  return `${sign}${digits.slice(0, -4)}.${digits.slice(-4)} ${UNITS[unit]}`;
}

export function columns(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [at, cell] of row.entries()) widths[at] = Math.max(widths[at] ?? 0, cell.length);
  }
  const line = (row: readonly string[]) =>
    row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join("  ");
  return rows.map((row) => line(row).trimEnd()).join("\n");
}
