import { z } from "zod";
import { CHARGED_RESOURCES, tariffSchema } from "../market/tariff.ts";
import {
  idSchema,
  instantText,
  integerText,
  jwkSchema,
  jwsText,
  nameText,
  naturalText,
  sha256Text,
} from "../unit/schema.ts";

export const billLineSchema = z.strictObject({
  resource: z.enum(CHARGED_RESOURCES),
  /** What priced it: time that was not delivered stands as a line of its own at no charge. */
  rule: z.enum(["reserved-while-delivered", "used-while-delivered", "not-delivered"]),
  /** milliCore-nanoseconds (cpu), byte-nanoseconds (memory, disk) or nanoseconds (time). */
  quantity: naturalText,
  unit: z.enum(["milliCoreNs", "byteNs", "ns"]),
  priceMicrosPerHour: naturalText,
  amountMicros: naturalText,
  /** Why time was not delivered, as the lease's events have it. The server's word, not the records'. */
  reasons: z.array(z.string().max(64)).optional(),
});
export type BillLine = z.infer<typeof billLineSchema>;

const named = <P extends "party" | "host" | "partition">(prefix: P) =>
  z.strictObject({ id: idSchema(prefix), name: nameText });

/** A closed bill with its own copy of the terms. It never changes; a mistake is a line of the next. */
export const billDocumentSchema = z.strictObject({
  version: z.literal(1),
  billId: idSchema("bill"),
  leaseId: idSchema("lease"),
  client: named("party"),
  lender: named("party"),
  host: named("host"),
  partition: named("partition"),
  tariff: tariffSchema,
  /** First record's begin and last record's end; null when there was no use. */
  period: z.strictObject({ start: instantText, end: instantText }).nullable(),
  closedAt: instantText,
  lines: z.array(billLineSchema),
  sumMicros: naturalText,
  /** `sumMicros` rounded half-even to the minor unit: what is paid. */
  totalMicros: naturalText,
  /** `sumMicros − totalMicros`, posted to the rounding account. */
  remainderMicros: integerText,
  /** The chain that this bill was made from. */
  evidence: z.strictObject({
    finalSeq: z.number().int().nonnegative(),
    finalHash: sha256Text.nullable(),
  }),
  elapsedNs: naturalText,
  deliveredNs: naturalText,
  /**
   * Closed without the final record, on what had arrived by the deadline or until the host was
   * removed. What is not shown is not charged: nothing is estimated.
   */
  incomplete: z.literal(true).optional(),
  estimated: z.literal(false).optional(),
});
export type BillDocument = z.infer<typeof billDocumentSchema>;

/** `typ: sublet-bill`: the server's word for a closed bill. */
export const billSealSchema = z.strictObject({
  iss: z.string(),
  billId: idSchema("bill"),
  documentSha256: sha256Text,
});

/** Everything that checks a bill with no server and no database. */
export const billExportSchema = z.strictObject({
  version: z.literal(1),
  bill: billDocumentSchema,
  billJws: jwsText,
  /** The lease's first grant, from which the chain hangs. */
  grantJws: jwsText.nullable(),
  /** Later grants of the same lease, by sequence: each extends the period. */
  extensionGrantJws: z.array(jwsText).optional(),
  wipeReceiptJws: jwsText.nullable(),
  /** Stands in its place when the lender has declared the host dead. */
  removalJws: jwsText.optional(),
  usageBatches: z.array(jwsText),
  /** Public keys as JWK with `kid`. */
  serverKeys: z.array(jwkSchema),
  agentKey: jwkSchema.nullable(),
});
export type BillExport = z.infer<typeof billExportSchema>;
