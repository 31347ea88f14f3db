import { z } from "zod";
import { idSchema, instantText, jwkSchema, jwsText } from "../unit/schema.ts";
import { billDocumentSchema, deliveryEventSchema } from "./bill.ts";
import { capacityBillSchema } from "./capacity/bill.ts";

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

/** A provider's bills of one host: the codes, what was done, what was used, and every bill. */
export const capacityExportSchema = z.strictObject({
  hostId: idSchema("host"),
  providerId: idSchema("party"),
  customerId: idSchema("party"),
  /** With which the provider signs its codes. */
  providerKeys: z.array(jwkSchema),
  /** Of the host's agent, now and earlier. */
  agentKeys: z.array(jwkSchema),
  codeJws: z.array(jwsText),
  /** `sublet-acts` and `sublet-usage`, as the host signed them. */
  acts: z.array(jwsText),
  usageBatches: z.array(jwsText),
  bills: z.array(z.strictObject({ bill: capacityBillSchema, billJws: jwsText })),
});
export type CapacityExport = z.infer<typeof capacityExportSchema>;

/** Everything that checks bills with no server and no database: docs/reference/export.md. */
export const usageExportSchema = z.strictObject({
  format: z.literal("sublet-export"),
  version: z.literal(2),
  serverId: z.string(),
  exportedAt: instantText,
  /** Public keys as JWK with `kid`. */
  serverKeys: z.array(jwkSchema),
  leases: z.array(leaseExportSchema),
  capacity: z.array(capacityExportSchema).optional(),
});
export type UsageExport = z.infer<typeof usageExportSchema>;
