import { z } from "zod";
import {
  architectureSchema,
  cpuModeSchema,
  guestSizeSchema,
  instantText,
  microsText,
} from "../unit/schema.ts";
import { labelsSchema } from "./condition.ts";

/** More partitions at once are booked in turns: one booking locks every host that it uses. */
export const COUNT_MAX = 50;

/** What a client wants. */
export const requirementSchema = z.strictObject({
  /** Of each partition. */
  size: guestSizeSchema,
  cpuMode: cpuModeSchema.default("dedicated"),
  /** So many different partitions, all at once or none. */
  count: z.number().int().min(1).max(COUNT_MAX).default(1),
  architecture: architectureSchema.optional(),
  /** `small-linux` for its newest version, or `small-linux@1.2`. */
  os: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9.+~_@-]{0,127}$/, "expected a name like small-linux"),
  /** Such as `region=eu`; all of them. */
  labels: labelsSchema.default({}),
  /** The guest must reach the internet. */
  internet: z.boolean().default(false),
  /** Null: now. */
  start: instantText.nullable().default(null),
  durationSeconds: z
    .number()
    .int()
    .min(60)
    .max(366 * 86_400),
  /** The most that all of them together may cost, in micro-units. */
  maxPerHourMicros: microsText.optional(),
  maxTotalMicros: microsText.optional(),
});
export type Requirement = z.infer<typeof requirementSchema>;
