import { CHARGED_RESOURCES, type Tariff } from "../market/tariff.ts";
import type { HashedRecord } from "../meter/record.ts";
import { amountMicros, priceMicrosPerHour, UNIT_OF } from "../rating/amount.ts";
import type { Span } from "../rating/portion.ts";
import { ruleOf } from "../rating/rate.ts";
import { type Rated, type RatingTerms, ratedKey, ratePeriod } from "../rating/rate-period.ts";
import type { HostId, PartitionId } from "../unit/id.ts";
import type { CpuMode } from "../unit/schema.ts";
import type { Size } from "../unit/size.ts";
import type { BillDocument, BillLine, BillPeriod } from "./bill.ts";
import { spanOf } from "./period.ts";

export interface LineTerms {
  readonly host: HostId;
  readonly partition: PartitionId;
  readonly tariff: Tariff;
  readonly cpuMode: CpuMode;
  readonly size: Size;
}

/** What a period comes to. What is charged has a line even at zero; what is not, when there is any. */
export function periodLines(
  records: readonly HashedRecord[],
  rating: RatingTerms,
  terms: LineTerms,
  span: Span,
  period: BillPeriod,
): BillLine[] {
  const rated = new Map(ratePeriod(records, rating, span));
  const lines: BillLine[] = [];
  for (const resource of CHARGED_RESOURCES) {
    const charged = { ...NOTHING, resource, rule: ruleOf(resource, terms.cpuMode) };
    const key = ratedKey(charged);
    const isPriced = resource !== "time" || priceOf(charged, terms) !== 0n;
    if (isPriced) lines.push(lineOf(rated.get(key) ?? charged, terms, period));
    rated.delete(key);
  }
  return [...lines, ...[...rated.values()].map((one) => lineOf(one, terms, period))];
}

/** For each closed period: what is known of it now, less what was said of it before. */
export function correctionLines(
  records: readonly HashedRecord[],
  rating: RatingTerms,
  terms: LineTerms,
  earlier: readonly BillDocument[],
): BillLine[] {
  return earlier.flatMap(({ billId, number, period }) => {
    if (period === null) return [];
    const now = ratePeriod(records, rating, spanOf(period, number === 1));
    const differences = new Map<string, Rated>();
    for (const [key, one] of now) differences.set(key, { ...one });
    for (const line of earlier.flatMap((bill) => bill.lines)) {
      if (line.period.start !== period.start) continue;
      const key = ratedKey(line);
      const known = differences.get(key) ?? { ...ratedOf(line), quantity: 0n };
      differences.set(key, { ...known, quantity: known.quantity - BigInt(line.quantity) });
    }
    return [...differences.values()]
      .filter(({ quantity, ...one }) => quantity !== 0n && isShown(one, terms))
      .map((one) => ({ ...lineOf(one, terms, period), corrects: { billId, number } }));
  });
}

type Kind = Pick<Rated, "resource" | "rule">;

/** The flat part has no line where it has no price. */
function isShown(one: Kind, terms: LineTerms): boolean {
  return one.rule === "not-delivered" || one.resource !== "time" || priceOf(one, terms) !== 0n;
}

const NOTHING = { cause: null, event: null, quantity: 0n, records: null };

function ratedOf({ resource, rule, cause, event, records }: BillLine): Omit<Rated, "quantity"> {
  return { resource, rule, cause: cause ?? null, event: event ?? null, records };
}

function lineOf(one: Rated, terms: LineTerms, period: BillPeriod): BillLine {
  const { resource, rule, cause, event, quantity, records } = one;
  const price = priceOf(one, terms);
  return {
    host: terms.host,
    partition: terms.partition,
    period,
    resource,
    rule,
    ...(cause === null ? {} : { cause }),
    ...(event === null ? {} : { event }),
    quantity: quantity.toString(),
    unit: UNIT_OF[resource],
    priceMicrosPerHour: price.toString(),
    amountMicros: amountMicros(resource, quantity, price).toString(),
    ...(cause === null ? {} : { notChargedMicros: notCharged(one, terms).toString() }),
    records,
  };
}

function priceOf({ resource, rule }: Kind, { tariff, cpuMode }: LineTerms): bigint {
  return rule === "not-delivered" ? 0n : priceMicrosPerHour(resource, tariff, cpuMode);
}

/**
 * What is reserved would have cost this for so long; shared cpu, charged by use, nothing. Time
 * behind the granted end was never to be had, and would have cost nothing either.
 */
function notCharged({ cause, quantity: ns }: Rated, terms: LineTerms): bigint {
  if (cause === "beyond-granted") return 0n;
  const reserved = {
    cpu: BigInt(terms.size.cpuMilli),
    memory: BigInt(terms.size.memoryBytes),
    disk: BigInt(terms.size.diskBytes),
    time: 1n,
  };
  return CHARGED_RESOURCES.filter(
    (resource) => ruleOf(resource, terms.cpuMode) === "reserved-while-delivered",
  )
    .map((resource) => {
      const price = priceMicrosPerHour(resource, terms.tariff, terms.cpuMode);
      return amountMicros(resource, reserved[resource] * ns, price);
    })
    .reduce((sum, micros) => sum + micros, 0n);
}
