import { Option } from "commander";
import type { BillingPeriod } from "../../enablement/capacity/billing-period.ts";
import { type CapacityResource, perSecond } from "../../enablement/capacity/resource.ts";
import {
  type CapacityTerms,
  RETURN_MEANS,
  type ReturnMeans,
  type ThresholdRule,
} from "../../enablement/capacity/terms.ts";
import { InputError, parseDurationSeconds } from "../../unit/quantity.ts";
import { duration, price, quantity } from "../option/quantity.ts";

/** What was typed of a resource's terms; names are those of the options. */
export interface TypedTerms {
  readonly price?: bigint;
  readonly overdraftPrice?: bigint;
  readonly unreturnedPrice?: bigint;
  readonly period?: BillingPeriod;
  readonly threshold?: ThresholdRule;
  /** Seconds of one core or GiB; 0: exact. */
  readonly increment?: number;
  readonly rounding?: CapacityTerms["rounding"];
  readonly valid?: number;
  readonly reportAfter?: number;
  readonly reportLimit?: number;
  readonly grace?: number;
  readonly onExhaustion?: Pick<CapacityTerms["exhaustion"], "policy" | "graceSeconds">;
  readonly warn?: number;
  readonly returnMeans?: ReturnMeans[];
}

export function termsOptions(): Option[] {
  return [
    price("--price <price>", "for a core-hour or GiB-hour, like 0.10/h"),
    price("--overdraft-price <price>", "beyond the resource-time of all codes; like --price"),
    price("--unreturned-price <price>", "of what is not given back in time; like --price"),
    quantity("--period <period>", "when bills are due: 1h, 30d, month, month:ZONE", readPeriod),
    quantity("--threshold <rule>", "of shared use: allowance, or rate:60s", readThreshold),
    quantity(
      "--increment <time>",
      "bill in steps of so long of one, like 1m; exact",
      readIncrement,
    ),
    new Option("--rounding <way>", "of the last step").choices(["up", "down", "half-even"]),
    duration("--valid <duration>", "a code may be used for so long from its issue, like 90d"),
    duration("--report-after <duration>", "a report is due when use without receipt is so old"),
    duration("--report-limit <duration>", "or when there is so much of it, of one core or GiB"),
    duration("--grace <duration>", "from then until it is taken back"),
    quantity("--on-exhaustion <rule>", "stop-new, reclaim or reclaim:10m", readExhaustion),
    duration("--warn <duration>", "warn when what is left lasts for less than this"),
    quantity("--return-means <list>", "of ask,repin,next-boot, in this order", readMeans),
  ];
}

/** What was typed over what was before; the first time what is not said has a moderate default. */
export function mergeTerms(
  resource: CapacityResource,
  typed: TypedTerms,
  before: CapacityTerms | undefined,
): CapacityTerms {
  const priceMicrosPerHour = typed.price?.toString() ?? before?.priceMicrosPerHour;
  if (priceMicrosPerHour === undefined) {
    throw new InputError(`you do not sell ${resource} yet: say what it costs with --price 0.10/h`);
  }
  const base = before ?? defaults(resource, priceMicrosPerHour);
  return {
    priceMicrosPerHour,
    overdraftPriceMicrosPerHour:
      typed.overdraftPrice?.toString() ?? base.overdraftPriceMicrosPerHour,
    unreturnedPriceMicrosPerHour:
      typed.unreturnedPrice?.toString() ?? base.unreturnedPriceMicrosPerHour,
    increment: incrementOf(resource, typed.increment) ?? base.increment,
    rounding: typed.rounding ?? base.rounding,
    validSeconds: typed.valid ?? base.validSeconds,
    billingPeriod: typed.period ?? base.billingPeriod,
    threshold: typed.threshold ?? base.threshold,
    reporting: {
      reportAfterSeconds: typed.reportAfter ?? base.reporting.reportAfterSeconds,
      reportLimit:
        typed.reportLimit === undefined
          ? base.reporting.reportLimit
          : (BigInt(typed.reportLimit) * perSecond(resource)).toString(),
      graceSeconds: typed.grace ?? base.reporting.graceSeconds,
    },
    exhaustion: {
      ...base.exhaustion,
      ...typed.onExhaustion,
      ...(typed.warn === undefined ? {} : { warnSeconds: typed.warn }),
    },
    returnMeans: typed.returnMeans ?? base.returnMeans,
  };
}

/** Of a code's own terms: only what was typed. */
export function changedTerms(
  resource: CapacityResource,
  typed: TypedTerms,
  before: CapacityTerms,
): Partial<CapacityTerms> {
  const merged = mergeTerms(resource, typed, before);
  const names = (Object.keys(merged) as (keyof CapacityTerms)[]).filter(
    (name) => JSON.stringify(merged[name]) !== JSON.stringify(before[name]),
  );
  return Object.fromEntries(names.map((name) => [name, merged[name]]));
}

const DAY = 86_400;

function defaults(resource: CapacityResource, priceMicrosPerHour: string): CapacityTerms {
  return {
    priceMicrosPerHour,
    overdraftPriceMicrosPerHour: priceMicrosPerHour,
    unreturnedPriceMicrosPerHour: priceMicrosPerHour,
    increment: "1",
    rounding: "half-even",
    validSeconds: 90 * DAY,
    billingPeriod: { kind: "month", timeZone: "UTC" },
    threshold: { kind: "allowance" },
    reporting: {
      reportAfterSeconds: 35 * DAY,
      reportLimit: (BigInt(100 * DAY) * perSecond(resource)).toString(),
      graceSeconds: 14 * DAY,
    },
    exhaustion: { policy: "stop-new", graceSeconds: 0, warnSeconds: DAY },
    returnMeans: resource === "cpu" ? [...RETURN_MEANS] : ["ask", "next-boot"],
  };
}

function incrementOf(resource: CapacityResource, seconds: number | undefined): string | undefined {
  if (seconds === undefined) return undefined;
  return seconds === 0 ? "1" : (BigInt(seconds) * perSecond(resource)).toString();
}

/** The epoch: periods of so many seconds begin where everybody would look for them. */
const ANCHOR = "1970-01-01T00:00:00.000Z";

function readPeriod(text: string): BillingPeriod {
  const month = /^month(?::(.+))?$/.exec(text.trim());
  if (month === null) return { kind: "fixed", seconds: positive(text), anchor: ANCHOR };
  const timeZone = month[1] ?? "UTC";
  try {
    new Intl.DateTimeFormat("en", { timeZone });
  } catch {
    throw new InputError(`"${timeZone}" is not a time zone; write it like month:Europe/Berlin`);
  }
  return { kind: "month", timeZone };
}

function readThreshold(text: string): ThresholdRule {
  const rate = /^rate:(.+)$/.exec(text.trim());
  if (rate?.[1]) return { kind: "rate", intervalSeconds: positive(rate[1]) };
  if (text.trim() === "allowance") return { kind: "allowance" };
  throw new InputError(`"${text}" is no rule for thresholds; write allowance, or rate:60s`);
}

function readIncrement(text: string): number {
  return text.trim() === "exact" ? 0 : positive(text);
}

function readExhaustion(text: string): TypedTerms["onExhaustion"] {
  if (text.trim() === "stop-new") return { policy: "stop-new", graceSeconds: 0 };
  const reclaim = /^reclaim(?::(.+))?$/.exec(text.trim());
  if (reclaim === null) {
    throw new InputError(`"${text}" is not known; write stop-new, reclaim or reclaim:10m`);
  }
  const grace = reclaim[1];
  return { policy: "reclaim", graceSeconds: grace ? parseDurationSeconds(grace) : 0 };
}

function readMeans(text: string): ReturnMeans[] {
  const words = text.split(",").map((word) => word.trim());
  const known: readonly string[] = RETURN_MEANS;
  const wrong = words.find((word, at) => !known.includes(word) || words.indexOf(word) !== at);
  if (wrong === undefined) return words as ReturnMeans[];
  throw new InputError(`"${wrong}" stands there wrongly; each of ${known.join(",")} once at most`);
}

function positive(text: string): number {
  const seconds = parseDurationSeconds(text);
  if (seconds > 0) return seconds;
  throw new InputError(`"${text}" is no time at all; write it like 1h`);
}
