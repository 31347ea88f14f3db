import { formatMoneyMicros } from "../../unit/money.ts";
import type { CapacityBill, CapacityLine } from "../capacity/bill.ts";
import { columns, quantityOf } from "./statement.ts";

/** A bill of enabled capacity as plain text: every partition's use, and what it comes to. */
export function capacityStatement(bill: CapacityBill): string {
  const money = (micros: string) => `${formatMoneyMicros(BigInt(micros))} ${bill.currency}`;
  const head = [
    ["Bill", `${bill.billId} (number ${bill.number} for this host)`],
    ["Customer", bill.client.name],
    ["Provider", bill.lender.name],
    ["Host", bill.host.name],
    ["Period", `${bill.period.start} to ${bill.period.end}`],
    ["Billed for", bill.act.reason],
    ["Closed", bill.closedAt],
    ...(bill.corrects ? [["Sets right", `bill ${bill.corrects.number}: more has come`]] : []),
    ...(bill.incomplete ? [["Incomplete", "records are missing; nothing is estimated"]] : []),
  ];
  const lines = bill.lines.map((line) => [
    line.partition.name,
    line.resource,
    ruleOf(line),
    quantityOf({ ...line, quantity: line.used }),
    quantityOf({ ...line, quantity: line.billedQuantity }),
    `${formatMoneyMicros(BigInt(line.priceMicrosPerHour))}/h`,
    money(line.amountMicros),
  ]);
  const foot = [
    ["Sum", money(bill.sumMicros)],
    ...(bill.carriedMicros === "0" ? [] : [["Carried from before", money(bill.carriedMicros)]]),
    ["Total", money(bill.totalMicros)],
  ];
  const headings = ["PARTITION", "WHAT", "RULE", "USED", "CHARGED", "PRICE", "AMOUNT"];
  const table = lines.length > 0 ? columns([headings, ...lines]) : "nothing was used";
  return [columns(head), table, columns(foot)].join("\n\n");
}

function ruleOf({ rule, corrects }: CapacityLine): string {
  return corrects ? `${rule}, corrects bill ${corrects.number}` : rule;
}
