import { z } from "zod";
import { idSchema, instantText, jwkSchema } from "../unit/schema.ts";

/** `typ: sublet-agent-token`: this request comes from this host. Short-lived; seconds since 1970. */
export const agentTokenSchema = z.strictObject({
  iss: idSchema("host"),
  /** The server's id. */
  aud: z.string(),
  iat: z.number().int(),
  exp: z.number().int(),
});
export type AgentToken = z.infer<typeof agentTokenSchema>;

/**
 * `typ: sublet-key-rotation`: the agent of this host has a new key. Signed twice, by the old key and
 * by the new one, each of which the agent thereby shows to have.
 */
export const keyRotationSchema = z.strictObject({
  iss: idSchema("host"),
  /** The server's id. */
  aud: z.string(),
  issuedAt: instantText,
  newJwk: jwkSchema,
});
export type KeyRotation = z.infer<typeof keyRotationSchema>;

/** `typ: sublet-time`: the server's time, answering the agent's nonce. */
export const serverTimeSchema = z.strictObject({
  iss: z.string(),
  aud: idSchema("host"),
  nonce: z.string().min(16).max(64),
  now: instantText,
});
export type ServerTime = z.infer<typeof serverTimeSchema>;
