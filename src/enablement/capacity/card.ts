import { z } from "zod";
import { idSchema, instantText, jwkSchema, nameText, sizeSchema } from "../../unit/schema.ts";
import { capacityResourceSchema } from "./resource.ts";

/**
 * `typ: sublet-host-card`: this host, its key and what it has. Signed by its agent, with the key
 * that it names; a host without a network is registered with a provider by it.
 */
export const hostCardSchema = z.strictObject({
  hostId: idSchema("host"),
  name: nameText,
  agentJwk: jwkSchema,
  reserve: sizeSchema,
  base: sizeSchema,
  standby: sizeSchema,
  issuedAt: instantText,
});
export type HostCard = z.infer<typeof hostCardSchema>;

/**
 * `typ: sublet-provider-card`: this provider and the keys that it signs with. Signed with the last
 * of them; a host's owner pins it, and trusts no other provider's codes.
 */
export const providerCardSchema = z.strictObject({
  providerId: idSchema("party"),
  name: nameText,
  keys: z.array(jwkSchema).min(1).max(20),
  issuedAt: instantText,
});
export type ProviderCard = z.infer<typeof providerCardSchema>;

/** `typ: sublet-capacity-request`: this host wants standby capacity enabled. Signed by its agent. */
export const capacityRequestSchema = z.strictObject({
  requestId: idSchema("request"),
  hostId: idSchema("host"),
  hostName: nameText,
  resource: capacityResourceSchema,
  /** milliCores or bytes. */
  quantity: z.number().int().positive(),
  /** With the quantity, the resource-time that is asked for. */
  forSeconds: z.number().int().positive(),
  issuedAt: instantText,
});
export type CapacityRequest = z.infer<typeof capacityRequestSchema>;
