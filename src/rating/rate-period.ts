import { CHARGED_RESOURCES, type ChargedResource } from "../market/tariff.ts";
import type { Cause, DeliveryEvent } from "../meter/cause.ts";
import type { HashedRecord } from "../meter/record.ts";
import { causeOf, type LateTerms, lateStretch, notDeliveredOf } from "./not-delivered.ts";
import { portion, type Span, touches } from "./portion.ts";
import { type Charge, type ChargeRule, rateRecords } from "./rate.ts";

/** One kind of use, or of time that is not charged, in a period, with the records that show it. */
export interface Rated {
  readonly resource: ChargedResource;
  readonly rule: ChargeRule | "not-delivered";
  readonly cause: Cause | null;
  readonly event: DeliveryEvent | null;
  quantity: bigint;
  records: { fromSeq: number; toSeq: number } | null;
}

export interface RatingTerms extends LateTerms {
  /** Of the lease, by number. */
  readonly events: readonly DeliveryEvent[];
}

/**
 * What the records from the lease's begin come to in one period of event time, by `ratedKey`. The
 * cap of the granted time is over the whole chain, in its order; only then it is split by periods.
 */
export function ratePeriod(
  records: readonly HashedRecord[],
  terms: RatingTerms,
  span: Span,
): ReadonlyMap<string, Rated> {
  const rated = new Map<string, Rated>();
  const add = (one: Omit<Rated, "records">, seq: number | null) => {
    const known = rated.get(ratedKey(one));
    const records = seq === null ? null : { fromSeq: seq, toSeq: seq };
    if (known === undefined) {
      rated.set(ratedKey(one), { ...one, records });
      return;
    }
    known.quantity += one.quantity;
    if (seq !== null) known.records = { fromSeq: known.records?.fromSeq ?? seq, toSeq: seq };
  };
  addLate(records, terms, span, (one) => add(one, null));
  const charges = rateRecords(records, terms);
  const perRecord = CHARGED_RESOURCES.length;
  for (const [index, { record }] of records.entries()) {
    if (!touches(record, span)) continue;
    const own = charges.slice(index * perRecord, (index + 1) * perRecord);
    for (const { resource, rule, quantity } of own) {
      const part = { resource, rule, cause: null, event: null };
      add({ ...part, quantity: portion(quantity, record, span) }, record.seq);
    }
    for (const { cause, ns } of notDeliveredOf(record, chargedNs(own))) {
      const event =
        cause === "beyond-granted"
          ? null
          : causeOf(terms.events, Date.parse(record.from.at), Date.parse(record.to.at));
      const quantity = portion(ns, record, span);
      if (quantity > 0n) add({ ...FREE_TIME, cause, event, quantity }, record.seq);
    }
  }
  return rated;
}

const FREE_TIME = { resource: "time", rule: "not-delivered" } as const;

function addLate(
  records: readonly HashedRecord[],
  terms: RatingTerms,
  span: Span,
  add: (one: Omit<Rated, "records">) => void,
): void {
  const { beginMs, endMs } = lateStretch(records, terms);
  const fromMs = Math.max(beginMs, span.fromMs ?? beginMs);
  const untilMs = Math.min(endMs, span.untilMs ?? endMs);
  if (untilMs <= fromMs) return;
  const event = causeOf(terms.events, fromMs, untilMs);
  add({ ...FREE_TIME, cause: "late", event, quantity: BigInt(untilMs - fromMs) * 1_000_000n });
}

function chargedNs(charges: readonly Charge[]): bigint {
  return charges.find(({ resource }) => resource === "time")?.quantity ?? 0n;
}

export function ratedKey({
  resource,
  rule,
  cause,
  event,
}: {
  readonly resource: string;
  readonly rule: string;
  readonly cause?: string | null | undefined;
  readonly event?: { readonly seq: number } | null | undefined;
}): string {
  return [resource, rule, cause ?? "", event?.seq ?? ""].join(" ");
}
