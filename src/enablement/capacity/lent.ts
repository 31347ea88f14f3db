import { z } from "zod";
import { idSchema, instantText, naturalText } from "../../unit/schema.ts";
import { capacityResourceSchema } from "./resource.ts";

/** Of the size in a grant, so much is standby's: by a code that the host's owner has lent. */
export const standbyPartSchema = z.strictObject({
  codeId: idSchema("code"),
  resource: capacityResourceSchema,
  /** milliCores, whole cores of them; or bytes. */
  quantity: z.number().int().positive(),
});
export type StandbyPart = z.infer<typeof standbyPartSchema>;

/**
 * A code whose resource-time its host's owner has lent: it serves leases, and nothing else, until it
 * is kept again. Told by the host's agent.
 */
export const lentCodeSchema = z.strictObject({
  codeId: idSchema("code"),
  providerId: idSchema("party"),
  resource: capacityResourceSchema,
  /** The most at once, in milliCores or bytes. */
  quantity: z.number().int().positive(),
  /** What was left of its resource-time when it was lent. */
  resourceTime: naturalText,
  validity: z.strictObject({ start: instantText, end: instantText }),
});
export type LentCode = z.infer<typeof lentCodeSchema>;
