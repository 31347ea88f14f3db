import { z } from "zod";
import { idSchema, instantText, jwkSchema, jwsText } from "../unit/schema.ts";
import { billDocumentSchema, deliveryEventSchema } from "./bill.ts";

/** One lease of an export: what was granted, what was used, and every bill of it, in order. */
export const leaseExportSchema = z.strictObject({
  leaseId: idSchema("lease"),
  /** The lease's first grant, from which the chain hangs. */
  grantJws: jwsText.nullable(),
  /** Later grants of the same lease, by sequence: each extends the period. */
  extensionGrantJws: z.array(jwsText),
  wipeReceiptJws: jwsText.nullable(),
  /** Stands in its place when the lender has declared the host dead. */
  removalJws: jwsText.optional(),
  /** That told why it was not delivered, and since when it was again: the server's word. */
  events: z.array(deliveryEventSchema),
  /** Signed by the host, with the records in them. */
  usageBatches: z.array(jwsText),
  /** Of the host's keys the one that the grant names, as JWK with `kid`. */
  agentKey: jwkSchema.nullable(),
  bills: z.array(z.strictObject({ bill: billDocumentSchema, billJws: jwsText })),
});
export type LeaseExport = z.infer<typeof leaseExportSchema>;

/** Everything that checks bills with no server and no database: docs/reference/export.md. */
export const usageExportSchema = z.strictObject({
  format: z.literal("sublet-export"),
  version: z.literal(2),
  serverId: z.string(),
  exportedAt: instantText,
  /** Public keys as JWK with `kid`. */
  serverKeys: z.array(jwkSchema),
  leases: z.array(leaseExportSchema),
});
export type UsageExport = z.infer<typeof usageExportSchema>;
