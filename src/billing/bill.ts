import { z } from "zod";
import { CHARGED_RESOURCES, tariffSchema } from "../market/tariff.ts";
import { CAUSES } from "../meter/cause.ts";
import {
  idSchema,
  instantText,
  integerText,
  nameText,
  naturalText,
  sha256Text,
} from "../unit/schema.ts";

/** By number and what the server's events say; the records alone cannot show it. */
export const deliveryEventSchema = z.strictObject({
  seq: z.number().int().positive(),
  at: instantText,
  kind: z.string().max(64),
  reason: z.string().max(64).nullable(),
});

/** A period of event time: a calendar month's part of a lease. The last one's end is open. */
const billPeriodSchema = z.strictObject({ start: instantText, end: instantText.nullable() });
export type BillPeriod = z.infer<typeof billPeriodSchema>;

export const billLineSchema = z.strictObject({
  host: idSchema("host"),
  partition: idSchema("partition"),
  /** When it was used; a correction's is that of the bill which it corrects. */
  period: billPeriodSchema,
  resource: z.enum(CHARGED_RESOURCES),
  /** What priced it: time that was not delivered stands as a line of its own at no charge. */
  rule: z.enum(["reserved-while-delivered", "used-while-delivered", "not-delivered"]),
  /** Of time that was not delivered: why, as the records show it, and the event that caused it. */
  cause: z.enum(CAUSES).optional(),
  event: deliveryEventSchema.optional(),
  /** milliCore-nanoseconds (cpu), byte-nanoseconds (memory, disk) or nanoseconds (time). */
  quantity: integerText,
  unit: z.enum(["milliCoreNs", "byteNs", "ns"]),
  priceMicrosPerHour: naturalText,
  amountMicros: integerText,
  /** What this time would have cost for what is reserved, had it been delivered. */
  notChargedMicros: integerText.optional(),
  /** The closed bill that this line sets right: the quantity is the difference. */
  corrects: z
    .strictObject({ billId: idSchema("bill"), number: z.number().int().positive() })
    .optional(),
  /** The numbers of the records that show it, in the lease's chain; null when none could be. */
  records: z
    .strictObject({ fromSeq: z.number().int().positive(), toSeq: z.number().int().positive() })
    .nullable(),
});
export type BillLine = z.infer<typeof billLineSchema>;

const named = <P extends "party" | "host" | "partition">(prefix: P) =>
  z.strictObject({ id: idSchema(prefix), name: nameText });

/**
 * `interim`: up to the edge of a calendar month that the lease goes beyond. `final`: at the lease's
 * end. `correction`: of what came, or turned out, after the final bill.
 */
export const BILL_KINDS = ["interim", "final", "correction"] as const;
export type BillKind = (typeof BILL_KINDS)[number];

export const missingRecordsSchema = z.strictObject({
  fromSeq: z.number().int().positive(),
  /** Null: from there on nothing is known, not even how many there are. */
  toSeq: z.number().int().positive().nullable(),
});
export type MissingRecords = z.infer<typeof missingRecordsSchema>;

/** A closed bill with its own copy of the terms. It never changes; a mistake is a line of the next. */
export const billDocumentSchema = z.strictObject({
  version: z.literal(2),
  billId: idSchema("bill"),
  leaseId: idSchema("lease"),
  /** Counts the bills of this lease from 1, without a gap. */
  number: z.number().int().positive(),
  kind: z.enum(BILL_KINDS),
  /** The lease's bill before this one. */
  previous: z.strictObject({ billId: idSchema("bill"), documentSha256: sha256Text }).nullable(),
  client: named("party"),
  lender: named("party"),
  host: named("host"),
  partition: named("partition"),
  tariff: tariffSchema,
  /** In which calendar months end. */
  timeZone: z.string().max(64),
  /** Null in a correction: its lines say which periods they correct. */
  period: billPeriodSchema.nullable(),
  /** From the first to the last instant of use in the period; null when there was none. */
  used: z.strictObject({ start: instantText, end: instantText }).nullable(),
  closedAt: instantText,
  lines: z.array(billLineSchema),
  sumMicros: integerText,
  /** What rounding left of the lease's earlier bills. */
  carriedMicros: integerText,
  /** `carriedMicros + sumMicros` rounded half-even to the minor unit: what is paid. */
  totalMicros: integerText,
  /** `sumMicros − totalMicros`, posted to the rounding account. */
  remainderMicros: integerText,
  /** The chain that this bill was made from. */
  evidence: z.strictObject({
    finalSeq: z.number().int().nonnegative(),
    finalHash: sha256Text.nullable(),
    /** Numbers that were missing when it closed. They are asked for again, and corrected when they come. */
    missing: z.array(missingRecordsSchema),
    /** The end of the granted time: no more than up to there is charged. */
    grantedUntil: instantText,
    /** When the host had wiped the lease; null when it had not said so. */
    wipedAt: instantText.nullable(),
  }),
  /** In the period. */
  elapsedNs: naturalText,
  deliveredNs: naturalText,
  /**
   * Closed on what had arrived by the deadline or until the host was removed, without the records
   * up to the period's end. What is not shown is not charged: nothing is estimated.
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
