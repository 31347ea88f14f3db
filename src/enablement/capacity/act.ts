import { z } from "zod";
import { canonicalJson, sha256Hex } from "../../unit/canonical.ts";
import {
  cpuModeSchema,
  idSchema,
  instantText,
  nameText,
  naturalText,
  sha256Text,
} from "../../unit/schema.ts";
import { capacityResourceSchema } from "./resource.ts";
import { returnMeansSchema, thresholdSchema } from "./terms.ts";

/** Why the use so far is to be billed now: the first of these that comes. */
export const TIMES_TO_BILL = [
  "period-end",
  "exhausted",
  "returned",
  "lease-end",
  "mode-change",
  "termination",
  "unreported-limit",
  "demand",
] as const;
export type TimeToBill = (typeof TIMES_TO_BILL)[number];

/**
 * Why the timer of dedicated capacity stands still. `not-in-guest`: the guest that runs does not have
 * it yet, since it boots or takes no notice. `guest-restarted`: nobody saw it off, and it is another
 * life of it. `stopped-…`: by whose guest it is, with the agent's own command.
 */
export const PAUSE_REASONS = [
  "guest-powered-off",
  "stopped-by-owner",
  "stopped-by-client",
  "guest-crashed",
  "machine-failed",
  "process-died",
  "host-restarted",
  "guest-restarted",
  "not-in-guest",
  "no-guest",
  "unknown",
] as const;
export type PauseReason = (typeof PAUSE_REASONS)[number];

const chainHeadSchema = z.strictObject({
  chainId: idSchema("chain"),
  /** The last record that belongs to what is billed; 0: none yet. */
  seq: z.number().int().nonnegative(),
});

/** What was done with enabled capacity on a host, in the order in which it was done. */
export const actDetailSchema = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("provider-trusted"),
    providerId: idSchema("party"),
    kids: z.array(z.string()).min(1),
  }),
  /** Its codes enable nothing from here on, until it is trusted again. */
  z.strictObject({ kind: z.literal("provider-untrusted"), providerId: idSchema("party") }),
  z.strictObject({
    kind: z.literal("code-accepted"),
    codeId: idSchema("code"),
    codeSha256: sha256Text,
  }),
  z.strictObject({
    kind: z.literal("service-begun"),
    serviceId: idSchema("service"),
    /** Whose codes it draws on. */
    providerId: idSchema("party"),
    mode: cpuModeSchema,
    resource: capacityResourceSchema,
    /** milliCores or bytes. */
    quantity: z.number().int().positive(),
    /** Of dedicated capacity. */
    partition: z.strictObject({ id: idSchema("partition"), name: nameText }).nullable(),
  }),
  /** One partition's meter: of dedicated capacity its own, of shared one for each in the pool. */
  z.strictObject({
    kind: z.literal("chain-begun"),
    chainId: idSchema("chain"),
    serviceId: idSchema("service"),
    partition: z.strictObject({ id: idSchema("partition"), name: nameText }),
    /** The code whose hash is the chain's origin. */
    codeId: idSchema("code"),
    threshold: thresholdSchema.nullable(),
    /** When the partition is leased: whose guest uses it. */
    leaseId: idSchema("lease").nullable(),
  }),
  z.strictObject({
    kind: z.literal("service-paused"),
    serviceId: idSchema("service"),
    reason: z.enum(PAUSE_REASONS),
    /** The last reading that counts; from there until it is resumed nothing does. */
    from: z.strictObject({
      at: instantText,
      bootId: z.string().max(64),
      monotonicNs: naturalText,
    }),
  }),
  z.strictObject({ kind: z.literal("service-resumed"), serviceId: idSchema("service") }),
  z.strictObject({
    kind: z.literal("threshold-set"),
    /** For whose codes. */
    providerId: idSchema("party").optional(),
    partition: z.strictObject({ id: idSchema("partition"), name: nameText }),
    threshold: thresholdSchema,
    /** The begin of the period from which it counts. */
    from: instantText,
  }),
  z.strictObject({ kind: z.literal("resource-time-used-up"), resource: capacityResourceSchema }),
  /** From here on leases alone draw on the code, until its owner keeps it again. */
  z.strictObject({ kind: z.literal("code-lent"), codeId: idSchema("code") }),
  z.strictObject({ kind: z.literal("code-kept"), codeId: idSchema("code") }),
  /** Resource-time is kept for a service of a lease; again when the lease gets longer. */
  z.strictObject({
    kind: z.literal("resource-time-reserved"),
    serviceId: idSchema("service"),
    leaseId: idSchema("lease"),
    codes: z.array(z.strictObject({ codeId: idSchema("code"), quantity: naturalText })).max(1000),
  }),
  /** What that service has not used is anybody's again. */
  z.strictObject({ kind: z.literal("resource-time-freed"), serviceId: idSchema("service") }),
  z.strictObject({
    kind: z.literal("unreturned"),
    serviceId: idSchema("service"),
    reason: z.string().max(64),
    means: returnMeansSchema.nullable(),
  }),
  /** Codes that were accepted since cover what was unreturned: it is in service again. */
  z.strictObject({ kind: z.literal("service-covered"), serviceId: idSchema("service") }),
  z.strictObject({
    kind: z.literal("service-returned"),
    serviceId: idSchema("service"),
    reason: z.string().max(64),
    means: returnMeansSchema.nullable(),
  }),
  z.strictObject({
    kind: z.literal("time-to-bill"),
    reason: z.enum(TIMES_TO_BILL),
    /** The billing period that the use lies in. */
    period: z.strictObject({ start: instantText, end: instantText }),
    providerId: idSchema("party"),
    /** All chains of that provider's codes that have use which was not billed before. */
    chains: z.array(chainHeadSchema).max(1000),
  }),
]);
export type ActDetail = z.infer<typeof actDetailSchema>;

/**
 * One act. `previousHash` links it to the one before (number 1: to the sha256 of the host's id), so
 * that a host whose state was set back cannot go on unseen. `runNs` is how long the host's agent
 * has seen its clock run in all: it never falls, whatever wall clocks do.
 */
export const actSchema = z.strictObject({
  version: z.literal(1),
  hostId: idSchema("host"),
  seq: z.number().int().positive(),
  previousHash: sha256Text,
  at: instantText,
  bootId: z.string().max(64),
  monotonicNs: naturalText,
  runNs: naturalText,
  act: actDetailSchema,
});
export type Act = z.infer<typeof actSchema>;
export const hashedActSchema = z.strictObject({ record: actSchema, hash: sha256Text });
export type HashedAct = z.infer<typeof hashedActSchema>;

/** `typ: sublet-acts`: acts of a host and its present head, signed together by its agent. */
export const actsBatchSchema = z.strictObject({
  batchId: idSchema("batch"),
  hostId: idSchema("host"),
  acts: z.array(hashedActSchema).max(1000),
  /** The last act that there is, sent here or before; with the clock at signing. */
  head: z.strictObject({
    seq: z.number().int().nonnegative(),
    hash: sha256Text,
    at: instantText,
    runNs: naturalText,
  }),
});
export type ActsBatch = z.infer<typeof actsBatchSchema>;

/** `typ: sublet-acts-receipt`: every act up to this number is stored durably. Signed by the provider. */
export const actsReceiptSchema = z.strictObject({
  iss: idSchema("party"),
  aud: idSchema("host"),
  batchId: idSchema("batch"),
  contiguousSeq: z.number().int().nonnegative(),
  receivedAt: instantText,
});
export type ActsReceipt = z.infer<typeof actsReceiptSchema>;

export function actOrigin(hostId: string): string {
  return sha256Hex(hostId);
}

export function hashAct(act: Act): string {
  return sha256Hex(canonicalJson(act));
}
