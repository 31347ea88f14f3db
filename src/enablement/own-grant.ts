import { z } from "zod";
import { imageManifestSchema } from "../image/manifest.ts";
import {
  cpuModeSchema,
  digestText,
  idSchema,
  instantText,
  nameText,
  sizeSchema,
} from "../unit/schema.ts";

/**
 * `typ: sublet-own-grant`: this host's owner runs a guest in a partition of it. Signed by the host's
 * own agent for itself, and good only where nothing is lent: for a partition that is not lendable.
 * It has no end and no price.
 */
export const ownGrantSchema = z.strictObject({
  jti: z.string().min(8).max(64),
  /** Both are this host. */
  iss: idSchema("host"),
  aud: idSchema("host"),
  issuedAt: instantText,
  /** Names the guest, as a lease's id names its guest. */
  leaseId: idSchema("lease"),
  partition: z.strictObject({
    partitionId: idSchema("partition"),
    name: nameText,
    cpuMode: cpuModeSchema,
    size: sizeSchema,
  }),
  image: z.strictObject({ digest: digestText, manifest: imageManifestSchema }),
  /** The owner's SSH public key: one authorized_keys line without options. */
  clientKey: z.string().max(1024),
  /** RFC 7638 thumbprint of the key that signs this. */
  agentKeyThumbprint: z.string(),
});
/** What only a lease's grant may have, an own one has not. */
export type OwnGrant = z.infer<typeof ownGrantSchema> & {
  readonly internet?: undefined;
  readonly outbox?: undefined;
  readonly billingTimeZone?: undefined;
};
