import { z } from "zod";
import {
  cpuModeSchema,
  idSchema,
  instantText,
  naturalText,
  sha256Text,
  sizeSchema,
} from "../unit/schema.ts";
import { recordCapacitySchema } from "./capacity-record.ts";

/**
 * What is metered: a lease's partition, or enabled capacity in one partition. The id says which, and
 * so what the chain's first record hangs on: the lease's grant, or the capacity code.
 */
export const meteredIdSchema = z.union([idSchema("lease"), idSchema("chain")]);
export type MeteredId = z.infer<typeof meteredIdSchema>;

const recordInstantSchema = z.strictObject({
  at: instantText,
  bootId: z.string().max(64),
  monotonicNs: naturalText,
});

/**
 * What was used in an interval. A chain is the records of one lease, or of enabled capacity in one
 * partition, numbered from 1 without gaps. `previousHash` links a record to the one before (number
 * 1: to the sha256 of the JWS of the grant or the capacity code), so that none can be altered,
 * dropped or put in between unseen.
 */
export const usageRecordSchema = z.strictObject({
  version: z.literal(1),
  chainId: meteredIdSchema,
  seq: z.number().int().positive(),
  previousHash: sha256Text,
  hostId: idSchema("host"),
  partitionId: idSchema("partition"),
  cpuMode: cpuModeSchema,
  size: sizeSchema,
  from: recordInstantSchema,
  to: recordInstantSchema,
  elapsedNs: naturalText,
  /** At most `elapsedNs`; only it is charged. */
  deliveredNs: naturalText,
  /** Time that the guest's virtual cpus ran. */
  cpuNs: naturalText,
  /** Part of the interval was not witnessed and is therefore not in `deliveredNs`. */
  gap: z.boolean(),
  /** Nothing follows in this chain. */
  final: z.boolean(),
  /** Of enabled capacity; records of leases have no such member. */
  capacity: recordCapacitySchema.optional(),
});
export type UsageRecord = z.infer<typeof usageRecordSchema>;

/** With the sha256 of the record's canonical JSON, in hex. */
export const hashedRecordSchema = z.strictObject({ record: usageRecordSchema, hash: sha256Text });
export type HashedRecord = z.infer<typeof hashedRecordSchema>;

/** `typ: sublet-usage`: records of one chain, signed together by the agent. */
export const usageBatchSchema = z.strictObject({
  batchId: idSchema("batch"),
  hostId: idSchema("host"),
  chainId: meteredIdSchema,
  records: z.array(hashedRecordSchema).min(1).max(1000),
});
export type UsageBatch = z.infer<typeof usageBatchSchema>;

export const seqRangeSchema = z.strictObject({
  fromSeq: z.number().int().positive(),
  toSeq: z.number().int().positive(),
});
export type SeqRange = z.infer<typeof seqRangeSchema>;

/** `typ: sublet-receipt`: the server has these records durably. Signed by the server. */
export const usageReceiptSchema = z.strictObject({
  iss: z.string(),
  aud: idSchema("host"),
  batchId: idSchema("batch"),
  chainId: meteredIdSchema,
  /** Every number up to this one, without a gap, has been taken. */
  contiguousSeq: z.number().int().nonnegative(),
  /** Numbers below others that came, which did not: they are to be sent again. */
  missing: z.array(seqRangeSchema).optional(),
  receivedAt: instantText,
});
export type UsageReceipt = z.infer<typeof usageReceiptSchema>;
