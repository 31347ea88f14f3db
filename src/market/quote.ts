import { z } from "zod";
import { naturalText } from "../unit/schema.ts";

/** What a match would cost, in micro-units as decimal strings. The hold covers `totalMicros`. */
export const quoteSchema = z.strictObject({
  /** The most that an hour can cost. */
  perHourMicros: naturalText,
  /** For the whole period, each part rounded up to the micro-unit. */
  fixedMicros: naturalText,
  /** The most that parts priced by use can add. Zero for dedicated partitions. */
  meteredMaxMicros: naturalText,
  /** `fixedMicros + meteredMaxMicros`, rounded up to the minor unit: no bill can exceed it. */
  totalMicros: naturalText,
});
export type Quote = z.infer<typeof quoteSchema>;
