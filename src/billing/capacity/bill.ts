import { z } from "zod";
import { TIMES_TO_BILL } from "../../enablement/capacity/act.ts";
import { CAPACITY_RESOURCES } from "../../enablement/capacity/resource.ts";
import { capacityTariffSchema, thresholdSchema } from "../../enablement/capacity/terms.ts";
import {
  cpuModeSchema,
  idSchema,
  instantText,
  integerText,
  nameText,
  naturalText,
  sha256Text,
} from "../../unit/schema.ts";

export const periodSchema = z.strictObject({ start: instantText, end: instantText });
const rangeSchema = z.strictObject({
  fromSeq: z.number().int().positive(),
  toSeq: z.number().int().positive(),
});
const named = <P extends "party" | "host" | "partition">(prefix: P) =>
  z.strictObject({ id: idSchema(prefix), name: nameText });

/** What priced a line. */
export const CAPACITY_RULES = [
  "dedicated-time",
  "allowance-excess",
  "rate-excess",
  "overdraft",
  "unreturned",
] as const;
export type CapacityRule = (typeof CAPACITY_RULES)[number];

/**
 * What one partition's use of one resource in one billing period costs by one code and rule. The
 * quantity is all of it up to this bill, rounded once; what earlier bills charged is taken off.
 */
export const capacityLineSchema = z.strictObject({
  partition: named("partition"),
  resource: z.enum(CAPACITY_RESOURCES),
  mode: cpuModeSchema,
  period: periodSchema,
  rule: z.enum(CAPACITY_RULES),
  /** Whose tariff priced it. */
  codeId: idSchema("code"),
  /** Of shared use, for the partition and period: what was free, all use, and what was above. */
  threshold: thresholdSchema.nullable(),
  used: naturalText,
  excess: naturalText.nullable(),
  /** Exact: milliCore-nanoseconds (cpu) or byte-nanoseconds (memory), of the period so far. */
  quantity: naturalText,
  unit: z.enum(["milliCoreNs", "byteNs"]),
  increment: naturalText,
  rounding: z.enum(["up", "down", "half-even"]),
  /** `quantity` in whole increments. */
  billedQuantity: naturalText,
  priceMicrosPerHour: naturalText,
  /** What earlier bills charged of it. */
  chargedMicros: naturalText,
  amountMicros: integerText,
  /** The closed bill of another time to bill that this line sets right. */
  corrects: z
    .strictObject({ billId: idSchema("bill"), number: z.number().int().positive() })
    .optional(),
  /** The records that show it. */
  records: z.array(rangeSchema.extend({ chainId: idSchema("chain") })),
});
export type CapacityLine = z.infer<typeof capacityLineSchema>;

/** One time to bill of one host, by its provider to its owner. It never changes. */
export const capacityBillSchema = z.strictObject({
  version: z.literal(3),
  kind: z.literal("capacity"),
  billId: idSchema("bill"),
  /** Counts this provider's bills for this host from 1, without a gap. */
  number: z.number().int().positive(),
  previous: z.strictObject({ billId: idSchema("bill"), documentSha256: sha256Text }).nullable(),
  /** The bill of the same act that was closed incomplete, and that this one sets right. */
  corrects: z
    .strictObject({ billId: idSchema("bill"), number: z.number().int().positive() })
    .optional(),
  /** The customer, who pays. */
  client: named("party"),
  /** The provider, who earns. */
  lender: named("party"),
  host: named("host"),
  /** The host's act that said it was time to bill. */
  act: z.strictObject({
    seq: z.number().int().positive(),
    hash: sha256Text,
    at: instantText,
    reason: z.enum(TIMES_TO_BILL),
  }),
  period: periodSchema,
  used: periodSchema.nullable(),
  currency: z.string().regex(/^[A-Z]{3}$/),
  minorUnitDigits: z.number().int().min(0).max(6),
  /** The codes whose tariffs price the lines. */
  tariffs: z.array(z.strictObject({ codeId: idSchema("code"), tariff: capacityTariffSchema })),
  closedAt: instantText,
  lines: z.array(capacityLineSchema),
  /** Records whose own numbers do not follow, with what was charged in the place of those. */
  corrected: z
    .array(
      z.strictObject({
        chainId: idSchema("chain"),
        seq: z.number().int().positive(),
        meteredQuantity: naturalText,
        debits: z.array(z.strictObject({ codeId: idSchema("code"), quantity: naturalText })),
        overdraft: naturalText,
      }),
    )
    .min(1)
    .optional(),
  sumMicros: integerText,
  /** What rounding left of the earlier bills. */
  carriedMicros: integerText,
  totalMicros: integerText,
  remainderMicros: integerText,
  /** The operator's part of the sum, by each code's own rate. */
  feeMicros: integerText,
  evidence: z.strictObject({
    /** So far each chain was read. */
    chains: z.array(
      z.strictObject({
        chainId: idSchema("chain"),
        seq: z.number().int().nonnegative(),
        hash: sha256Text.nullable(),
      }),
    ),
    /** So far each chain was read for what it draws on the codes, named or not; left out: as `chains`. */
    drawn: z
      .array(z.strictObject({ chainId: idSchema("chain"), seq: z.number().int().positive() }))
      .optional(),
    /** Records that were named by a time to bill and had not come. What is not shown is not charged. */
    missing: z.array(rangeSchema.extend({ chainId: idSchema("chain") })),
    /** Acts that had not come, up to the last that this bill or an earlier one is for. */
    missingActs: z.array(rangeSchema),
  }),
  /** Closed on what had come by the deadline. */
  incomplete: z.literal(true).optional(),
});
export type CapacityBill = z.infer<typeof capacityBillSchema>;
