import { z } from "zod";

/** How long outputs wait at the server for their client. */
export const OUTPUTS_KEPT_DAYS = 7;
/** The most that one lease may leave behind. */
export const OUTBOX_BYTES_MAX = 16 * 2 ** 30;

const MIB = 2 ** 20;

/**
 * A part of the lease's own disk that the guest sees as a disk of its own, and writes to what is to
 * outlive it; its host encrypts that to the client's key and sends it to the server before the wipe.
 * By it the guest also says that its work is done, which ends the lease.
 */
export const outboxSchema = z.strictObject({
  bytes: z
    .number()
    .int()
    .min(2 * MIB)
    .max(OUTBOX_BYTES_MAX)
    .multipleOf(MIB, "expected a multiple of 1 MiB (1048576 bytes)"),
  /** An X25519 public key, base64url; its other half stays with the client. */
  sealKey: z.string().regex(/^[A-Za-z0-9_-]{43}$/, "expected an X25519 public key, base64url"),
});
export type Outbox = z.infer<typeof outboxSchema>;
