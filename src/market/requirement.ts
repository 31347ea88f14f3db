import { z } from "zod";
import {
  architectureSchema,
  cpuModeSchema,
  instantText,
  naturalText,
  sizeSchema,
} from "../unit/schema.ts";

/** What a client wants. */
export const requirementSchema = z.strictObject({
  size: sizeSchema,
  cpuMode: cpuModeSchema.default("dedicated"),
  architecture: architectureSchema.optional(),
  /** `small-linux` for its newest version, or `small-linux@1.2`. */
  os: z.string().min(1).max(128),
  /** Null: now. */
  start: instantText.nullable().default(null),
  durationSeconds: z
    .number()
    .int()
    .min(60)
    .max(366 * 86_400),
  /** The most it may cost, in micro-units. */
  maxPerHourMicros: naturalText.optional(),
  maxTotalMicros: naturalText.optional(),
});
export type Requirement = z.infer<typeof requirementSchema>;
