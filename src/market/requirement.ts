import { z } from "zod";
import {
  architectureSchema,
  cpuModeSchema,
  guestSizeSchema,
  instantText,
  microsText,
} from "../unit/schema.ts";

/** What a client wants. */
export const requirementSchema = z.strictObject({
  size: guestSizeSchema,
  cpuMode: cpuModeSchema.default("dedicated"),
  architecture: architectureSchema.optional(),
  /** `small-linux` for its newest version, or `small-linux@1.2`. */
  os: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9.+~_@-]{0,127}$/, "expected a name like small-linux"),
  /** Null: now. */
  start: instantText.nullable().default(null),
  durationSeconds: z
    .number()
    .int()
    .min(60)
    .max(366 * 86_400),
  /** The most it may cost, in micro-units. */
  maxPerHourMicros: microsText.optional(),
  maxTotalMicros: microsText.optional(),
});
export type Requirement = z.infer<typeof requirementSchema>;
