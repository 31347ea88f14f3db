import { z } from "zod";
import { idSchema, instantText } from "../unit/schema.ts";

/** What a client may want of its guest; `restart` is off, then on, once. */
export const POWER_STATES = ["on", "off", "restart"] as const;
export const powerStateSchema = z.enum(POWER_STATES);
export type PowerState = z.infer<typeof powerStateSchema>;

/** `typ: sublet-power`: the client wants this of its guest's power. Signed by the server. */
export const powerOrderSchema = z.strictObject({
  jti: z.string().min(8).max(64),
  iss: z.string(),
  aud: idSchema("host"),
  issuedAt: instantText,
  leaseId: idSchema("lease"),
  state: powerStateSchema,
  /** Counts the client's wishes: a host does none twice, and none after a later one. */
  generation: z.number().int().positive(),
});
export type PowerOrder = z.infer<typeof powerOrderSchema>;
