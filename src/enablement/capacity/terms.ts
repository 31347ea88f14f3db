import { z } from "zod";
import { microsText, naturalText } from "../../unit/schema.ts";
import { billingPeriodSchema } from "./billing-period.ts";

/**
 * What metered use of enabled capacity costs: micro-units of `currency` for a core-hour or, of
 * memory, a GiB-hour. Copied into every code. The quantity of a line is rounded once, to whole
 * `increment`s, by `rounding`; its amount once, half to even, to the micro-unit.
 */
export const capacityTariffSchema = z.strictObject({
  version: z.literal(1),
  currency: z.string().regex(/^[A-Z]{3}$/),
  minorUnitDigits: z.number().int().min(0).max(6),
  priceMicrosPerHour: naturalText,
  /** Of use beyond the resource-time of all codes. */
  overdraftPriceMicrosPerHour: naturalText,
  /** Of what was not given back when its codes had ended. */
  unreturnedPriceMicrosPerHour: naturalText,
  /** In the resource's unit of use, milliCore-nanoseconds or byte-nanoseconds; 1 is exact. */
  increment: naturalText.refine((text) => text !== "0", "an increment is not zero"),
  rounding: z.enum(["up", "down", "half-even"]),
  /** The operator's part of the provider's earnings, in parts per million. */
  operatorFeePpm: z.number().int().min(0).max(1_000_000),
});
export type CapacityTariff = z.infer<typeof capacityTariffSchema>;

/**
 * What a shared partition may use without charge in a billing period, never zero. `allowance`: so
 * much use in all. `rate`: so many milliCores on average, compared over every interval by itself.
 */
export const thresholdSchema = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("allowance"),
    milliCoreNs: naturalText.refine((text) => text !== "0", "a threshold is never zero"),
  }),
  z.strictObject({
    kind: z.literal("rate"),
    cpuMilli: z.number().int().positive(),
    intervalSeconds: z.number().int().positive().max(3600),
  }),
]);
export type Threshold = z.infer<typeof thresholdSchema>;

/**
 * By what rule a code's shared use is compared. Each partition's own figure follows from its
 * entitlement, or from what its owner set before the period began.
 */
export const thresholdRuleSchema = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("allowance") }),
  z.strictObject({
    kind: z.literal("rate"),
    intervalSeconds: z.number().int().positive().max(3600),
  }),
]);
export type ThresholdRule = z.infer<typeof thresholdRuleSchema>;

/** Use that is compared by one rule makes one total in a period; a rate's intervals are part of it. */
export function ruleName(rule: ThresholdRule): string {
  return rule.kind === "rate" ? `rate ${rule.intervalSeconds}` : rule.kind;
}

/** What is done when the resource-time of all codes is used up. */
export const exhaustionSchema = z.strictObject({
  /** `stop-new`: what is in service stays, at the overdraft's price. `reclaim`: it is taken back. */
  policy: z.enum(["stop-new", "reclaim"]),
  /** Of `reclaim`: how long after the resource-time was used up. */
  graceSeconds: z.number().int().nonnegative(),
  /** A warning is due when what is left lasts for less than this at the present rate. */
  warnSeconds: z.number().int().nonnegative(),
});

/**
 * How a guest that does not give back what it must is brought to it, in this order. `ask`: it is
 * asked once more. `repin`: its virtual cpus share the cores that stay, and the enabled core is
 * free. `next-boot`: it begins its next life without.
 */
export const RETURN_MEANS = ["ask", "repin", "next-boot"] as const;
export const returnMeansSchema = z.enum(RETURN_MEANS);
export type ReturnMeans = z.infer<typeof returnMeansSchema>;

/** How long use may stay unreported; past it there are no new services, and then none at all. */
export const reportingSchema = z.strictObject({
  /** A report is due when the oldest use that no receipt covers is this old. */
  reportAfterSeconds: z.number().int().positive(),
  /** So much metered use, in the resource's unit, may be without receipt. */
  reportLimit: naturalText,
  /** From the day a report is due, or the limit was passed, until what is in service is returned. */
  graceSeconds: z.number().int().nonnegative(),
});

/** On what terms a provider sells a resource; a code is made of them and keeps its own copy. */
export const capacityTermsSchema = z.strictObject({
  priceMicrosPerHour: microsText,
  overdraftPriceMicrosPerHour: microsText,
  unreturnedPriceMicrosPerHour: microsText,
  increment: capacityTariffSchema.shape.increment,
  rounding: capacityTariffSchema.shape.rounding,
  /** From its issue until then a code may be used. */
  validSeconds: z
    .number()
    .int()
    .positive()
    .max(10 * 366 * 86_400),
  billingPeriod: billingPeriodSchema,
  threshold: thresholdRuleSchema,
  reporting: reportingSchema,
  exhaustion: exhaustionSchema,
  returnMeans: z.array(returnMeansSchema).min(1).max(3),
});
export type CapacityTerms = z.infer<typeof capacityTermsSchema>;
