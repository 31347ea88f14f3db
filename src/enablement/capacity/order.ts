import { z } from "zod";
import { idSchema, nameText } from "../../unit/schema.ts";
import { capacityResourceSchema } from "./resource.ts";
import { thresholdSchema } from "./terms.ts";

/** What an owner may have done at a host from elsewhere: what the host's own commands take. */
export const capacityOrderSchema = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("enable"),
    /** A code to accept first, as it was issued. */
    code: z.string().max(100_000).optional(),
    /** Dedicated to this partition; otherwise `shared`, for the pool. */
    partition: nameText.optional(),
    shared: z.boolean().optional(),
    resource: capacityResourceSchema.optional(),
    quantity: z.number().int().positive().optional(),
  }),
  z.strictObject({
    kind: z.literal("return"),
    /** A service, what a partition has, or what the pool has. */
    of: z.union([
      z.strictObject({ service: idSchema("service") }),
      z.strictObject({ partition: nameText }),
      z.strictObject({ shared: z.literal(true) }),
    ]),
  }),
  /** A code serves leases from now on, and nothing else. */
  z.strictObject({
    kind: z.literal("lend"),
    /** As it was issued, to accept it first; or one that is in the accounts. */
    code: z.union([z.string().max(100_000), z.strictObject({ codeId: idSchema("code") })]),
  }),
  /** A code that was lent is the owner's own again, once nothing is reserved of it. */
  z.strictObject({ kind: z.literal("keep"), codeId: idSchema("code") }),
  z.strictObject({
    kind: z.literal("threshold"),
    /** For whose codes; left out: whose capacity the pool has, or whose code came last. */
    providerId: idSchema("party").optional(),
    partition: nameText,
    threshold: thresholdSchema,
  }),
]);
export type CapacityOrder = z.infer<typeof capacityOrderSchema>;
