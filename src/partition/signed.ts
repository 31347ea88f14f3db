import { z } from "zod";
import { idSchema, instantText, sha256Text } from "../unit/schema.ts";

/** `typ: sublet-access`: the way in to a lease's guest. Signed by the agent. */
export const accessSchema = z.strictObject({
  leaseId: idSchema("lease"),
  hostId: idSchema("host"),
  address: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9.:-]{0,254}$/),
  port: z.number().int().min(1).max(65_535),
  /** Whether its lender lets clients dial that; left out, it does. The relay is there in any case. */
  direct: z.boolean().optional(),
  user: z.string().regex(/^[a-z_][a-z0-9_-]{0,31}$/),
  /** `ssh-ed25519 AAAA…`: made for this lease, to be pinned by the client. */
  hostKey: z.string().regex(/^ssh-ed25519 [A-Za-z0-9+/=]+$/),
});
export type Access = z.infer<typeof accessSchema>;

/**
 * `typ: sublet-extended`: this host has taken an extension and runs the lease until `end`. Signed by
 * the agent, with the change of its own deadline; from then on the longer time is charged.
 */
export const extensionAcknowledgementSchema = z.strictObject({
  leaseId: idSchema("lease"),
  hostId: idSchema("host"),
  grantJti: z.string(),
  sequence: z.number().int().min(2),
  end: instantText,
  acknowledgedAt: instantText,
});
export type ExtensionAcknowledgement = z.infer<typeof extensionAcknowledgementSchema>;

/** `typ: sublet-wipe-receipt`: nothing of this lease is left on the host. Signed by the agent. */
export const wipeReceiptSchema = z.strictObject({
  leaseId: idSchema("lease"),
  hostId: idSchema("host"),
  partitionId: idSchema("partition"),
  /** The grant that was run, or null when the host never had one. */
  grantJti: z.string().nullable(),
  wipedAt: instantText,
  files: z.number().int().nonnegative(),
  bytes: z.number().int().nonnegative(),
  /** Number and hash of the last usage record; 0 and the chain's origin when there is none. */
  finalSeq: z.number().int().nonnegative(),
  finalHash: sha256Text,
  /** Why the lease ended on the host. */
  reason: z.string().max(64),
});
export type WipeReceipt = z.infer<typeof wipeReceiptSchema>;

/**
 * `typ: sublet-host-removal`: the lender declared this host dead and removed it. Signed by the
 * server. Nothing proves the wipe: the statement stands where the receipt would, and the partition
 * is removed with its host and never lent again.
 */
export const hostRemovalSchema = z.strictObject({
  iss: z.string(),
  leaseId: idSchema("lease"),
  hostId: idSchema("host"),
  partitionId: idSchema("partition"),
  /** The lender. */
  declaredBy: idSchema("party"),
  removedAt: instantText,
});
export type HostRemoval = z.infer<typeof hostRemovalSchema>;
