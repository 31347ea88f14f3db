import { z } from "zod";
import { idSchema, instantText, jwsText } from "../../unit/schema.ts";

/**
 * What a host without a network hands to a provider, as one JSON file: all that the provider has
 * given no receipt for. Each text in it is signed by itself, so the file needs no signature, and
 * one that is imported twice adds nothing.
 */
export const reportFileSchema = z.strictObject({
  kind: z.literal("sublet-capacity-report"),
  version: z.literal(1),
  hostId: idSchema("host"),
  providerId: idSchema("party"),
  writtenAt: instantText,
  /** `sublet-acts`, in order. The last one carries the present head; it may hold no act. */
  acts: z.array(jwsText).max(10_000),
  /** `sublet-usage` of chains of capacity. */
  usage: z.array(jwsText).max(10_000),
});
export type ReportFile = z.infer<typeof reportFileSchema>;

/** A provider's wish for a bill. One instant is one wish, however often and by which way it comes. */
export const demandSchema = z.strictObject({ demandedAt: instantText });

/** What the provider hands back. Any order, any number of times. */
export const receiptFileSchema = z.strictObject({
  kind: z.literal("sublet-capacity-receipts"),
  version: z.literal(1),
  hostId: idSchema("host"),
  providerId: idSchema("party"),
  /** `sublet-acts-receipt`, and `sublet-receipt` for chains of capacity; all by the provider's key. */
  receipts: z.array(jwsText).max(20_000),
  /** The provider wants what was used until now billed now: the host says that it is time to bill. */
  billNow: demandSchema.optional(),
});
export type ReceiptFile = z.infer<typeof receiptFileSchema>;
