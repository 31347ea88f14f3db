import type { Response } from "../api/contract/contract.ts";
import { useText } from "../enablement/capacity/resource.ts";
import { formatMoneyMicros } from "../unit/money.ts";
import type { Context } from "./context.ts";
import { facts, table } from "./output/table.ts";
import { instant, money } from "./output/words.ts";

type CapacityBill = Extract<Response<"showBill">["bill"], { kind: "capacity" }>;
type CapacityLine = CapacityBill["lines"][number];

export function capacityBillText(context: Context, bill: CapacityBill): string {
  const { currency, evidence } = bill;
  const missing = evidence.missing.map(
    ({ chainId, fromSeq, toSeq }) => `${fromSeq}-${toSeq} of ${chainId}`,
  );
  const acts = evidence.missingActs.map(({ fromSeq, toSeq }) => `acts ${fromSeq}-${toSeq}`);
  const head = facts([
    ["bill", `${bill.billId}, number ${bill.number} for its host, capacity`],
    ["customer", bill.client.name],
    ["provider", bill.lender.name],
    ["host", bill.host.name],
    ["time to bill", `${bill.act.reason}, act ${bill.act.seq} at ${instant(bill.act.at)}`],
    ["period", `${instant(bill.period.start)} to ${instant(bill.period.end)}`],
    ...(bill.incomplete
      ? ([
          [
            "incomplete",
            `${[...missing, ...acts].join(", ")} did not come; what is not shown is not charged`,
          ],
        ] as const)
      : []),
  ]);
  const rows = bill.lines.map((line) => [
    line.partition.name,
    line.resource,
    ruleText(line),
    useText(line.resource, BigInt(line.used)),
    useText(line.resource, BigInt(line.billedQuantity)),
    formatMoneyMicros(BigInt(line.priceMicrosPerHour)),
    money(line.amountMicros, currency),
  ]);
  const headings = ["PARTITION", "WHAT", "RULE", "USED", "CHARGED", "PRICE/H", "AMOUNT"];
  const foot = facts([
    ["sum", money(bill.sumMicros, currency)],
    ...(bill.carriedMicros === "0"
      ? []
      : ([["carried", money(bill.carriedMicros, currency)]] as const)),
    ["total", money(bill.totalMicros, currency)],
    ["fee", money(bill.feeMicros, currency)],
  ]);
  const lines = rows.length > 0 ? table(context, headings, rows) : "nothing was used";
  return `${head}\n\n${lines}\n\n${foot}`;
}

/** With what was free, and what the line corrects or goes on from. */
function ruleText({ rule, threshold, chargedMicros, corrects }: CapacityLine): string {
  const free =
    threshold === null
      ? ""
      : threshold.kind === "allowance"
        ? ` over ${useText("cpu", BigInt(threshold.milliCoreNs))}`
        : ` over ${threshold.cpuMilli} milliCores`;
  const of = corrects ? `, corrects bill ${corrects.number}` : "";
  const less = chargedMicros === "0" ? "" : `, less ${formatMoneyMicros(BigInt(chargedMicros))}`;
  return `${rule}${free}${of}${less}`;
}

/** The lines with exact quantities, for a spreadsheet. No value holds a comma. */
export function capacityBillCsv({ billId, host, lines }: CapacityBill): string {
  const columns = [
    ...["billId", "host", "partition", "periodStart", "periodEnd", "resource", "rule", "code"],
    ...["used", "excess", "quantity", "billedQuantity", "unit", "priceMicrosPerHour"],
    ...["chargedMicros", "amountMicros", "corrects"],
  ];
  const rows = lines.map((line) => [
    ...[billId, host.name, line.partition.name, line.period.start, line.period.end],
    ...[line.resource, line.rule, line.codeId, line.used, line.excess ?? "", line.quantity],
    ...[line.billedQuantity, line.unit, line.priceMicrosPerHour, line.chargedMicros],
    ...[line.amountMicros, line.corrects?.billId ?? ""],
  ]);
  return [columns, ...rows].map((row) => row.join(",")).join("\n");
}
