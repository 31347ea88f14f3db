import { z } from "zod";
import { naturalText } from "../unit/schema.ts";

/**
 * Prices and rounding, copied into every lease. Prices are micro-units of `currency` as decimal
 * strings; a core-hour is 1000 milliCores for 3600 s, a GiB is 2^30 bytes. Each bill line is
 * rounded once to the micro-unit, each bill's total once to the minor unit.
 */
export const tariffSchema = z.strictObject({
  version: z.literal(1),
  currency: z.string().regex(/^[A-Z]{3}$/),
  /** Digits behind the point of the currency's minor unit: 2 for cents. */
  minorUnitDigits: z.number().int().min(0).max(6),
  /** Of dedicated cores, by what is reserved. */
  priceMicrosPerCoreHour: naturalText,
  /** Of shared cpu, by what is used. Tariffs from before it was lent have none. */
  priceMicrosPerSharedCoreHour: naturalText.optional(),
  priceMicrosPerMemoryGibHour: naturalText,
  priceMicrosPerDiskGibHour: naturalText,
  /** The flat part. */
  priceMicrosPerHour: naturalText,
  /** The operator's part of the lender's earnings, in parts per million. */
  operatorFeePpm: z.number().int().min(0).max(1_000_000),
  rounding: z.literal("half-even"),
});
export type Tariff = z.infer<typeof tariffSchema>;

/** What has a price of its own; `time` is the flat part. */
export const CHARGED_RESOURCES = ["cpu", "memory", "disk", "time"] as const;
export type ChargedResource = (typeof CHARGED_RESOURCES)[number];
