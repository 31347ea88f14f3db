import type { Response } from "../api/contract/contract.ts";
import { formatMoneyMicros, partMicros } from "../unit/money.ts";
import type { Context } from "./context.ts";
import { formatPercent } from "./option/percent.ts";
import { facts, table } from "./output/table.ts";
import { instant, money } from "./output/words.ts";

type BillDocument = Exclude<Response<"showBill">["bill"], { kind: "capacity" }>;
type BillLine = BillDocument["lines"][number];

const NS_PER_SECOND = 1_000_000_000n;
const NS_PER_HOUR = 3600n * NS_PER_SECOND;
const GIB = 1n << 30n;

export function billText(context: Context, bill: BillDocument): string {
  const { currency } = bill.tariff;
  const head = facts([
    ["bill", `${bill.billId}, number ${bill.number} of its lease, ${bill.kind}`],
    ["lease", bill.leaseId],
    ["client", bill.client.name],
    ["lender", bill.lender.name],
    ["partition", `${bill.host.name}/${bill.partition.name}`],
    ["period", periodText(bill)],
    ["delivered", `${seconds(bill.deliveredNs)} s of ${seconds(bill.elapsedNs)} s`],
    ...(bill.incomplete ? ([["incomplete", missingText(bill.evidence)]] as const) : []),
  ]);
  const foot = facts([
    ["sum", money(bill.sumMicros, currency)],
    ...(bill.carriedMicros === "0"
      ? []
      : ([
          ["carried", `${money(bill.carriedMicros, currency)} that rounding left before`],
        ] as const)),
    ["rounding", money(String(roundedBy(bill)), currency)],
    ["total", money(bill.totalMicros, currency)],
    ...sharesText(bill),
  ]);
  const lines = linesText(context, bill.lines, currency);
  return `${head}\n\n${bill.lines.length > 0 ? lines : "nothing was used"}\n\n${foot}`;
}

export function linesText(context: Context, lines: readonly BillLine[], currency: string): string {
  const rows = lines.map((line) => [
    line.resource,
    ruleText(line, currency),
    quantityText(line),
    formatMoneyMicros(BigInt(line.priceMicrosPerHour)),
    money(line.amountMicros, currency),
  ]);
  return table(context, ["WHAT", "RULE", "USED", "PRICE/H", "AMOUNT"], rows);
}

function roundedBy({ sumMicros, carriedMicros, totalMicros }: BillDocument): bigint {
  return BigInt(totalMicros) - BigInt(sumMicros) - BigInt(carriedMicros);
}

/** With what caused it, and what it would have cost; and of a correction, what it corrects. */
function ruleText(line: BillLine, currency: string): string {
  const { rule, cause, event, notChargedMicros, corrects } = line;
  const why = event ? `${cause}, ${event.reason ?? event.kind} at ${instant(event.at)}` : cause;
  const not = notChargedMicros ? `; ${money(notChargedMicros, currency)} not charged` : "";
  const of = corrects ? `, corrects bill ${corrects.number}` : "";
  return `${rule}${why ? `: ${why}${not}` : ""}${of}`;
}

function periodText({ period, used, timeZone }: BillDocument): string {
  if (period === null) return "-";
  const end = period.end ?? used?.end;
  return `${instant(period.start)} to ${end ? instant(end) : "the lease's end"}, months of ${timeZone}`;
}

function missingText({ missing }: BillDocument["evidence"]): string {
  const ranges = missing.map(({ fromSeq, toSeq }) =>
    toSeq === null ? `${fromSeq} on` : fromSeq === toSeq ? `${fromSeq}` : `${fromSeq}-${toSeq}`,
  );
  return `records ${ranges.join(", ")} are missing and asked for again; what is not shown is not charged`;
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
export function billCsv({ lines, ...bill }: BillDocument): string {
  const columns: readonly (readonly [string, (line: BillLine) => string | number | undefined])[] = [
    ["billId", () => bill.billId],
    ["host", () => bill.host.name],
    ["partition", () => bill.partition.name],
    ["periodStart", ({ period }) => period.start],
    ["periodEnd", ({ period }) => period.end ?? ""],
    ["resource", ({ resource }) => resource],
    ["rule", ({ rule }) => rule],
    ["cause", ({ cause }) => cause],
    ["event", ({ event }) => event?.seq],
    ["corrects", ({ corrects }) => corrects?.billId],
    ["quantity", ({ quantity }) => quantity],
    ["unit", ({ unit }) => unit],
    ["priceMicrosPerHour", (line) => line.priceMicrosPerHour],
    ["amountMicros", (line) => line.amountMicros],
    ["notChargedMicros", (line) => line.notChargedMicros],
    ["recordsFrom", ({ records }) => records?.fromSeq],
    ["recordsTo", ({ records }) => records?.toSeq],
  ];
  const rows = lines.map((line) => columns.map(([, of]) => of(line) ?? ""));
  return [columns.map(([name]) => name), ...rows].map((row) => row.join(",")).join("\n");
}

/** Hours of a core or a GiB to four decimals: shown so, billed exactly. */
function quantityText({ unit, quantity }: Pick<BillLine, "unit" | "quantity">): string {
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
  if (amount < 0n) return `-${hours(-amount, perUnit)}`;
  const tenThousandths = ((amount * 10_000n) / (perUnit * NS_PER_HOUR)).toString().padStart(5, "0");
  return `${tenThousandths.slice(0, -4)}.${tenThousandths.slice(-4)}`;
}

/** To a tenth. */
export function seconds(ns: string): string {
  const tenths = (BigInt(ns) * 10n) / NS_PER_SECOND;
  return `${tenths / 10n}.${tenths % 10n}`;
}
