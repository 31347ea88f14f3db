import { z } from "zod";
import { instantText, jwkSchema } from "../unit/schema.ts";

/**
 * `typ: sublet-server-key`: from now on this server signs with that key. Signed by the one before,
 * which signs nothing more; whoever trusts that one trusts this one.
 */
export const serverKeySchema = z.strictObject({
  /** The server's id. */
  iss: z.string(),
  issuedAt: instantText,
  newJwk: jwkSchema,
});
export type ServerKeyStatement = z.infer<typeof serverKeySchema>;
