import { z } from "zod";
import { imageManifestSchema } from "../image/manifest.ts";
import { outboxSchema } from "../lease/outbox.ts";
import { tariffSchema } from "../market/tariff.ts";
import {
  cpuModeSchema,
  digestText,
  idSchema,
  instantText,
  nameText,
  sizeSchema,
} from "../unit/schema.ts";
import { standbyPartSchema } from "./capacity/lent.ts";

/**
 * `typ: sublet-grant`: this host may run this lease in this partition. Signed by the server when
 * the lease's period begins; verified by the agent before anything runs.
 */
export const grantSchema = z.strictObject({
  /** Names this grant. An extension is another grant of the same lease with a higher sequence. */
  jti: z.string().min(8).max(64),
  iss: z.string(),
  aud: idSchema("host"),
  issuedAt: instantText,
  leaseId: idSchema("lease"),
  sequence: z.number().int().positive(),
  partition: z.strictObject({
    partitionId: idSchema("partition"),
    name: nameText,
    cpuMode: cpuModeSchema,
    /** The re-cut: what the partition is while the lease lasts. */
    size: sizeSchema,
  }),
  period: z.strictObject({ start: instantText, end: instantText }),
  /** What of the size is standby's; absent: nothing. Reserved for the whole lease, or refused. */
  standby: z.array(standbyPartSchema).min(1).max(100).optional(),
  image: z.strictObject({
    imageId: idSchema("image"),
    digest: digestText,
    manifest: imageManifestSchema,
  }),
  /** The client's SSH public key: one authorized_keys line without options. */
  clientKey: z.string().max(1024),
  /** Whether the guest may reach the internet; absent in grants from before there was a choice: no. */
  internet: z.boolean().optional(),
  /** Room for what a run leaves behind, kept for the client; absent: nothing is kept. */
  outbox: outboxSchema.optional(),
  tariff: tariffSchema,
  /** In which calendar months end, at whose edges usage is cut; absent in early grants: UTC. */
  billingTimeZone: z.string().max(64).optional(),
  /** RFC 7638 thumbprint of the agent's key, which will sign this lease's usage. */
  agentKeyThumbprint: z.string(),
});
export type Grant = z.infer<typeof grantSchema>;

/** The content of a grant that this server signed itself and has kept: nothing is verified anew. */
export function readOwnGrant(grantJws: string): Grant {
  return grantSchema.parse(payloadOf(grantJws));
}

export function readOwnEndOrder(endJws: string): EndOrder {
  return endOrderSchema.parse(payloadOf(endJws));
}

function payloadOf(jws: string): unknown {
  return JSON.parse(Buffer.from(jws.split(".")[1] ?? "", "base64url").toString());
}

/** `typ: sublet-end`: this lease ends now. Signed by the server. */
export const endOrderSchema = z.strictObject({
  jti: z.string().min(8).max(64),
  iss: z.string(),
  aud: idSchema("host"),
  issuedAt: instantText,
  leaseId: idSchema("lease"),
  reason: z.string().max(64),
});
export type EndOrder = z.infer<typeof endOrderSchema>;
