import type { Response } from "../api/contract/contract.ts";
import { formatMoneyMicros, partMicros } from "../unit/money.ts";
import type { Context } from "./context.ts";
import { formatPercent } from "./option/percent.ts";
import { facts, table } from "./output/table.ts";
import { instant, money } from "./output/words.ts";

type BillDocument = Response<"showBill">["bill"];
type BillLine = BillDocument["lines"][number];

const NS_PER_SECOND = 1_000_000_000n;
const NS_PER_HOUR = 3600n * NS_PER_SECOND;
const GIB = 1n << 30n;

export function billText(context: Context, bill: BillDocument): string {
  const { currency } = bill.tariff;
  const rows = bill.lines.map((line) => [
    line.resource,
    line.reasons ? `${line.rule}: ${line.reasons.join(", ")}` : line.rule,
    quantityText(line),
    formatMoneyMicros(BigInt(line.priceMicrosPerHour)),
    money(line.amountMicros, currency),
  ]);
  const head = facts([
    ["bill", bill.billId],
    ["lease", bill.leaseId],
    ["client", bill.client.name],
    ["lender", bill.lender.name],
    ["partition", `${bill.host.name}/${bill.partition.name}`],
    ["period", bill.period ? `${instant(bill.period.start)} to ${instant(bill.period.end)}` : "-"],
    ["delivered", `${seconds(bill.deliveredNs)} s of ${seconds(bill.elapsedNs)} s`],
    ...(bill.incomplete
      ? ([["incomplete", "records are missing; what is not shown is not charged"]] as const)
      : []),
  ]);
  const foot = facts([
    ["sum", money(bill.sumMicros, currency)],
    ["rounding", money(String(-BigInt(bill.remainderMicros)), currency)],
    ["total", money(bill.totalMicros, currency)],
    ...sharesText(bill),
  ]);
  const lines = table(context, ["WHAT", "RULE", "USED", "PRICE/H", "AMOUNT"], rows);
  return `${head}\n\n${rows.length > 0 ? lines : "nothing was used"}\n\n${foot}`;
}

/** Who gets it, when the operator has a part. */
function sharesText({ sumMicros, tariff }: BillDocument): (readonly [string, string])[] {
  if (tariff.operatorFeePpm === 0) return [];
  const feeMicros = partMicros(BigInt(sumMicros), tariff.operatorFeePpm);
  const earningsMicros = BigInt(sumMicros) - feeMicros;
  return [
    ["lender earns", money(earningsMicros.toString(), tariff.currency)],
    [
      `fee of ${formatPercent(tariff.operatorFeePpm)}`,
      money(feeMicros.toString(), tariff.currency),
    ],
  ];
}

/** The lines with exact quantities, for a spreadsheet. No value holds a comma. */
export function billCsv({ lines }: BillDocument): string {
  const columns = [
    "resource",
    "rule",
    "quantity",
    "unit",
    "priceMicrosPerHour",
    "amountMicros",
  ] as const;
  return [columns, ...lines.map((line) => columns.map((column) => line[column]))]
    .map((row) => row.join(","))
    .join("\n");
}

/** Hours of a core or a GiB to four decimals: shown so, billed exactly. */
function quantityText({ unit, quantity }: BillLine): string {
  const amount = BigInt(quantity);
  switch (unit) {
    case "milliCoreNs":
      return `${hours(amount, 1000n)} core-hours`;
    case "byteNs":
      return `${hours(amount, GIB)} GiB-hours`;
    case "ns":
      return `${hours(amount, 1n)} hours`;
  }
}

function hours(amount: bigint, perUnit: bigint): string {
  const tenThousandths = ((amount * 10_000n) / (perUnit * NS_PER_HOUR)).toString().padStart(5, "0");
  return `${tenThousandths.slice(0, -4)}.${tenThousandths.slice(-4)}`;
}

/** To a tenth. */
function seconds(ns: string): string {
  const tenths = (BigInt(ns) * 10n) / NS_PER_SECOND;
  return `${tenths / 10n}.${tenths % 10n}`;
}
