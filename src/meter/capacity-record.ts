import { z } from "zod";
import { capacityResourceSchema } from "../enablement/capacity/resource.ts";
import { thresholdSchema } from "../enablement/capacity/terms.ts";
import { cpuModeSchema, idSchema, instantText, naturalText } from "../unit/schema.ts";

/**
 * What a usage record of enabled capacity says beside what all records say. A record lies in one
 * billing period: readings are taken at the periods' edges. Quantities are milliCore-nanoseconds or
 * byte-nanoseconds.
 */
export const recordCapacitySchema = z.strictObject({
  serviceId: idSchema("service"),
  mode: cpuModeSchema,
  resource: capacityResourceSchema,
  period: z.strictObject({ start: instantText, end: instantText }),
  /** `unreturned`: its codes had ended, and the guest had not given it back. */
  state: z.enum(["in-service", "unreturned"]),
  /** Of shared use; null of dedicated. */
  threshold: thresholdSchema.nullable(),
  /** What this record's use adds to what is metered: of shared use, above the threshold only. */
  meteredQuantity: naturalText,
  /** From which codes it was drawn. With the overdraft they add up to `meteredQuantity`. */
  debits: z.array(z.strictObject({ codeId: idSchema("code"), quantity: naturalText })).max(100),
  overdraft: naturalText,
});
export type RecordCapacity = z.infer<typeof recordCapacitySchema>;
