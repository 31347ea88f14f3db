import { z } from "zod";
import { lentCodeSchema } from "../../enablement/capacity/lent.ts";
import { capacityOrderSchema } from "../../enablement/capacity/order.ts";
import { demandSchema } from "../../enablement/capacity/report-file.ts";
import { hostCapacitySchema } from "../../host/capacity.ts";
import { seqRangeSchema } from "../../meter/record.ts";
import {
  cpuModeSchema,
  idSchema,
  instantText,
  jwkSchema,
  jwsText,
  nameText,
  sha256Text,
  sizeSchema,
} from "../../unit/schema.ts";
import { operation } from "./operation.ts";

/** What the agent of a host says and hears. All but enrolment and a change of
 * its key carry its short-lived token. */

export const desiredPartitionSchema = z.strictObject({
  partitionId: idSchema("partition"),
  name: nameText,
  lendable: z.boolean(),
  cpuMode: cpuModeSchema,
  size: sizeSchema,
  /** No lease may re-cut it to less or more. */
  min: sizeSchema,
  max: sizeSchema,
  generation: z.number().int(),
});
export const desiredLeaseSchema = z.strictObject({
  leaseId: idSchema("lease"),
  partitionId: idSchema("partition"),
  /** `sublet-grant`, or null when the lease ends without ever having been granted. */
  grantJws: jwsText.nullable(),
  /** `sublet-end` once the lease has been ended. */
  endJws: jwsText.nullable(),
  /**
   * `sublet-grant`s with higher sequences, by sequence, that the server waits for this host to
   * acknowledge. One that the host has taken long ago is acknowledged again: the server has
   * forgotten.
   */
  extensionJws: z.array(jwsText),
  /**
   * How far the server knows the lease; a host that is further tells again what it told before: the
   * server has been set back. `ended` names one whose usage records are still missing.
   */
  state: z.enum(["preparing", "ready", "ending", "ended"]),
  /** Of the last grant that the server knows this host to have taken. */
  sequence: z.number().int().positive(),
  /** Numbers of usage records that did not come: to be sent again. */
  missing: z.array(seqRangeSchema).optional(),
  /** `sublet-power` once the client has asked for it: its last wish. */
  powerJws: jwsText.nullable(),
});
/**
 * What the host should be. Only what it names is acted on: what is absent is left alone, a
 * partition goes only when `removedPartitionIds` names it, a lease only by its end or expiry.
 */
export const desiredStateSchema = z.strictObject({
  hostId: idSchema("host"),
  generation: z.number().int(),
  partitions: z.array(desiredPartitionSchema),
  removedPartitionIds: z.array(idSchema("partition")),
  leases: z.array(desiredLeaseSchema),
  /** Somebody waits for the end of a guest's console; answered by `answerConsole`. */
  consoleRequests: z.array(
    z.strictObject({ requestId: idSchema("console"), leaseId: idSchema("lease") }),
  ),
  /** Providers that want what was used until now billed now: one time to bill answers each. */
  billNow: z.array(demandSchema.extend({ providerId: idSchema("party") })).optional(),
  /** What the host's owner ordered and the agent has not answered yet, in order. */
  capacityOrders: z
    .array(z.strictObject({ orderId: idSchema("order"), ordered: capacityOrderSchema }))
    .optional(),
  /** By which the server's signing keys were let in: with them whatever is signed here verifies. */
  successionJws: z.array(jwsText),
});
export type DesiredState = z.infer<typeof desiredStateSchema>;

const reportBase = {
  /** Made and stored by the agent before sending; the same report is taken once. */
  reportId: z.string().min(8).max(64),
  at: instantText,
  leaseId: idSchema("lease"),
};
export const reportSchema = z.discriminatedUnion("kind", [
  /** One more step towards ready: `image-verified`, `allocated`, `booting` … */
  z.strictObject({ ...reportBase, kind: z.literal("progress"), step: z.string().max(64) }),
  z.strictObject({ ...reportBase, kind: z.literal("ready"), accessJws: jwsText }),
  /** The guest is not delivered at present; `reason` is a code like `process-died`. */
  z.strictObject({ ...reportBase, kind: z.literal("undelivered"), reason: z.string().max(64) }),
  z.strictObject({ ...reportBase, kind: z.literal("delivered-again") }),
  /** The agent refused the grant or could not run it; it goes on to end and wipe. */
  z.strictObject({
    ...reportBase,
    kind: z.literal("failed"),
    reason: z.string().max(64),
    message: z.string().max(2000),
  }),
  /** This host runs, or ran, the lease under this grant and not under the one that it is told now. */
  z.strictObject({ ...reportBase, kind: z.literal("grant-held"), grantJws: jwsText }),
  /** The lease ends later here, durably. `extensionJws` is the server's own code for it. */
  z.strictObject({
    ...reportBase,
    kind: z.literal("extended"),
    extensionJws: jwsText,
    /** `sublet-extended` */
    acknowledgementJws: jwsText,
  }),
  /** The agent does not take this extension; the lease goes on to its old end. */
  z.strictObject({
    ...reportBase,
    kind: z.literal("extension-refused"),
    extensionSha256: sha256Text,
    reason: z.string().max(64),
    message: z.string().max(2000),
  }),
  /** What the client runs there has begun, or has ended, as its guest wrote into the outbox. */
  z.strictObject({ ...reportBase, kind: z.literal("run-started") }),
  z.strictObject({
    ...reportBase,
    kind: z.literal("run-exited"),
    exitCode: z.number().int().min(0).max(255),
  }),
  /** What it left behind is not to be had: why. What is, is sent to `…/outputs/:digest`. */
  z.strictObject({ ...reportBase, kind: z.literal("outputs-lost"), reason: z.string().max(64) }),
  z.strictObject({ ...reportBase, kind: z.literal("ending"), reason: z.string().max(64) }),
  /** The client's wish for its guest's power; `isDone` when nothing more is to follow. */
  z.strictObject({
    ...reportBase,
    kind: z.enum(["powered-off", "powered-on"]),
    reason: z.string().max(64),
    generation: z.number().int().positive(),
    isDone: z.boolean(),
  }),
  z.strictObject({ ...reportBase, kind: z.literal("wiped"), receiptJws: jwsText }),
]);
export type Report = z.infer<typeof reportSchema>;

/** Made by the client's end, which continues a tunnel under the same one. */
export const TUNNEL_ID = /^[0-9a-f]{32}$/;

/** What of a guest's console is shown: its end. */
export const CONSOLE_BYTES_MAX = 64 * 1024;

/** Over the WebSocket at `/v1/agent/connection`, from server to agent: hints, never the truth itself. */
export const serverHintSchema = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("desired"), generation: z.number().int() }),
  /**
   * Somebody wants to reach a lease's guest: the agent opens a WebSocket at
   * `/v1/agent/tunnels/:joinId` for it. Where the guest listens it knows by itself alone.
   */
  z.strictObject({
    kind: z.literal("tunnel"),
    joinId: idSchema("join"),
    leaseId: idSchema("lease"),
    tunnelId: z.string().regex(TUNNEL_ID),
  }),
]);
export type ServerHint = z.infer<typeof serverHintSchema>;
/** And from agent to server: `{"kind":"alive"}` every few seconds. */
export const agentHintSchema = z.strictObject({ kind: z.literal("alive") });

export const agentOperations = {
  enrolHost: operation({
    method: "POST",
    path: "/v1/agent/enrolments",
    summary: "Join as a host with a one-time token. The same agent may repeat it.",
    body: z.strictObject({
      secret: z.string().max(128),
      publicJwk: jwkSchema,
      capacity: hostCapacitySchema,
    }),
    response: z.strictObject({
      hostId: idSchema("host"),
      name: nameText,
      serverId: z.string(),
      serverKeys: z.array(jwkSchema),
      /** How each of them was let in by the one before. */
      successionJws: z.array(jwsText),
    }),
  }),
  rotateHostKey: operation({
    method: "POST",
    path: "/v1/agent/keys",
    summary:
      "A new key of the agent, stated by the old key and the new. Repeating it changes nothing.",
    body: z.strictObject({ byOldKeyJws: jwsText, byNewKeyJws: jwsText }),
    response: z.strictObject({ hostId: idSchema("host"), kid: z.string() }),
  }),
  tellTime: operation({
    method: "POST",
    path: "/v1/agent/time",
    summary: "The server's time, signed, answering a nonce.",
    body: z.strictObject({ nonce: z.string().min(16).max(64) }),
    response: z.strictObject({ timeJws: jwsText, successionJws: z.array(jwsText) }),
  }),
  reportCapacity: operation({
    method: "PUT",
    path: "/v1/agent/capacity",
    summary: "What this host has, at each start of its agent.",
    body: z.strictObject({
      ...hostCapacitySchema.shape,
      /** All codes that are lent at present; absent, from older agents: none. */
      lentCodes: z.array(lentCodeSchema).max(1000).optional(),
    }),
    response: z.strictObject({ hostId: idSchema("host"), serverKeys: z.array(jwkSchema) }),
  }),
  readDesired: operation({
    method: "GET",
    path: "/v1/agent/desired",
    summary: "What this host should be.",
    response: desiredStateSchema,
  }),
  report: operation({
    method: "POST",
    path: "/v1/agent/reports",
    summary: "What happened to leases on this host, in the order in which it happened.",
    body: z.strictObject({ reports: z.array(reportSchema).min(1).max(100) }),
    response: z.strictObject({
      /** Taken now or before: the agent may forget these. */
      accepted: z.array(z.string()),
      /** Never to be taken, with the reason; the agent logs them and forgets them too. */
      refused: z.array(
        z.strictObject({ reportId: z.string(), code: z.string(), message: z.string() }),
      ),
    }),
  }),
  sendUsage: operation({
    method: "POST",
    path: "/v1/agent/usage-batches",
    summary:
      "A signed batch of usage records; accepted exactly once, answered by a signed receipt.",
    body: z.strictObject({ usageJws: jwsText }),
    response: z.strictObject({ receiptJws: jwsText }),
  }),
  sendActs: operation({
    method: "POST",
    path: "/v1/agent/acts",
    summary:
      "A signed batch of what was done with standby capacity; accepted exactly once, answered by a provider's signed receipt.",
    body: z.strictObject({
      actsJws: jwsText,
      /** Whose receipt is wanted; left out: that of the provider of the host's newest code. */
      providerId: idSchema("party").optional(),
    }),
    response: z.strictObject({ receiptJws: jwsText }),
  }),
  answerCapacityOrder: operation({
    method: "PUT",
    path: "/v1/agent/capacity-orders/:orderId",
    summary: "What became of an order of the host's owner: `done`, or the refusal and its way out.",
    params: z.strictObject({ orderId: idSchema("order") }),
    body: z.strictObject({ outcome: z.string().min(1).max(64), message: z.string().max(2000) }),
    response: z.strictObject({ orderId: idSchema("order") }),
  }),
  answerConsole: operation({
    method: "PUT",
    path: "/v1/agent/consoles/:requestId",
    summary: "The end of a guest's console, for who waits for it.",
    params: z.strictObject({ requestId: idSchema("console") }),
    body: z.strictObject({
      contentBase64: z.base64().max(Math.ceil(CONSOLE_BYTES_MAX / 3) * 4),
    }),
    response: z.strictObject({ isAwaited: z.boolean() }),
  }),
};
