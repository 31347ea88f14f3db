import type { CapacityCode } from "../../../enablement/capacity/code.ts";
import { canonicalJson } from "../../../unit/canonical.ts";
import type { CapacityBill, CapacityLine } from "../../capacity/bill.ts";
import { divide, multiply, rational, roundDown, roundHalfEven, roundUp } from "../rational.ts";
import type { Report } from "../report.ts";
import { countedBy, type Use } from "./use.ts";

interface Against {
  readonly bill: CapacityBill;
  readonly earlier: readonly CapacityBill[];
  readonly uses: readonly Use[];
  readonly codeOf: (codeId: string) => CapacityCode | undefined;
  /** Chains that the bill's own time to bill names. */
  readonly named: ReadonlySet<string>;
  readonly where: string;
}

/** Every line that the use asks for is there once, says what follows, and no other line is there. */
export function checkCapacityLines(against: Against, report: Report): void {
  const { bill, uses, where } = against;
  const stated = new Map<string, number>();
  for (const [index, line] of bill.lines.entries()) {
    const key = keyOf(line);
    const place = `${where}.lines[${index}]`;
    report.require(!stated.has(key), "line-repeated", place, "it is there twice");
    stated.set(key, index);
  }
  const expected = new Set<string>();
  for (const use of uses) {
    for (const [part, quantity] of use.parts) {
      const key = `${use.key} ${part}`;
      const index = stated.get(key);
      const before = linesBefore(against, key);
      const isChanged = before.at(-1)?.line.quantity !== quantity.toString();
      const isOther = before.length > 0 ? isChanged : quantity > 0n;
      const isDue = isOther || (part.startsWith(use.base) && isNamed(use, against));
      if (index === undefined) {
        const message = `${part} of ${use.meter.partition.name} from ${use.period.start} on has no line`;
        report.require(!isDue, "line-missing", where, message);
        continue;
      }
      expected.add(key);
      const line = bill.lines[index];
      if (line) checkLine(line, use, quantity, against, `${where}.lines[${index}]`, report);
    }
  }
  for (const [key, index] of stated) {
    const message = "no record asks for this line";
    report.require(expected.has(key), "line-unexpected", `${where}.lines[${index}]`, message);
  }
}

function keyOf(line: CapacityLine): string {
  const { partition, mode, resource, period, threshold, rule, codeId } = line;
  const place = [partition.id, mode, resource, period.start, period.end];
  return [...place, countedBy(mode, threshold), rule, codeId].join(" ");
}

function linesBefore({ earlier }: Against, key: string) {
  return earlier.flatMap((bill) =>
    bill.lines.filter((line) => keyOf(line) === key).map((line) => ({ bill, line })),
  );
}

function isNamed(use: Use, { bill, named }: Against): boolean {
  const isOwn = canonicalJson(use.period) === canonicalJson(bill.period);
  return isOwn && [...use.chainIds].some((chainId) => named.has(chainId));
}

function checkLine(
  line: CapacityLine,
  use: Use,
  quantity: bigint,
  against: Against,
  where: string,
  report: Report,
): void {
  const tariff = against.codeOf(line.codeId)?.tariff;
  if (!tariff) {
    report.add("line-price-differs", where, "no code in the export prices it");
    return;
  }
  const need = (holds: boolean, code: Parameters<Report["add"]>[0], message: string) =>
    report.require(holds, code, where, message);
  need(line.quantity === quantity.toString(), "line-quantity-differs", `${quantity} follows`);
  need(line.used === use.used.toString(), "line-used-differs", `${use.used} was used`);
  const excess = use.excess === null ? null : use.excess.toString();
  need(line.excess === excess, "line-excess-differs", `${excess} was above the threshold`);
  const isFree = canonicalJson(line.threshold) === canonicalJson(use.threshold);
  need(isFree, "line-threshold-differs", "the records state another threshold");
  const isPlace = canonicalJson(line.partition) === canonicalJson(use.meter.partition);
  need(isPlace, "line-place-differs", "the partition is called otherwise by the host");
  const unit = line.resource === "cpu" ? "milliCoreNs" : "byteNs";
  need(line.unit === unit, "line-unit-differs", `it is counted in ${unit}`);
  const isRule = line.increment === tariff.increment && line.rounding === tariff.rounding;
  need(isRule, "line-rounding-differs", "the code rounds otherwise");
  const billed = stepped(quantity, tariff.increment, tariff.rounding);
  need(line.billedQuantity === billed.toString(), "line-billed-differs", `${billed} is charged`);
  const price =
    line.rule === "overdraft"
      ? tariff.overdraftPriceMicrosPerHour
      : line.rule === "unreturned"
        ? tariff.unreturnedPriceMicrosPerHour
        : tariff.priceMicrosPerHour;
  need(line.priceMicrosPerHour === price, "line-price-differs", `the code's price is ${price}`);
  const before = linesBefore(against, keyOf(line));
  const charged = before.reduce((sum, one) => sum + BigInt(one.line.amountMicros), 0n);
  need(line.chargedMicros === charged.toString(), "line-charged-differs", `${charged} was charged`);
  const per = line.resource === "cpu" ? rational(1000n) : rational(1024n * 1024n * 1024n);
  const hours = divide(divide(rational(billed), per), rational(3_600_000_000_000n));
  const cost = roundHalfEven(multiply(hours, rational(BigInt(price)))) - charged;
  need(line.amountMicros === cost.toString(), "line-amount-differs", `it comes to ${cost}`);
  const isShown = canonicalJson(line.records) === canonicalJson(use.ranges);
  need(isShown, "line-records-differ", "other records show it");
  need(
    canonicalJson(line.corrects ?? null) === canonicalJson(correctedBy(use, against)),
    "line-corrects-differs",
    "it corrects another bill, or none",
  );
}

function correctedBy(use: Use, { bill, earlier }: Against) {
  if (canonicalJson(use.period) === canonicalJson(bill.period)) return null;
  const last = earlier.findLast(({ lines }) =>
    lines.some((line) => keyOf(line).startsWith(`${use.key} `)),
  );
  return last ? { billId: last.billId, number: last.number } : null;
}

function stepped(quantity: bigint, increment: string, rounding: string): bigint {
  const steps = rational(quantity, BigInt(increment));
  const round = rounding === "up" ? roundUp : rounding === "down" ? roundDown : roundHalfEven;
  return round(steps) * BigInt(increment);
}
