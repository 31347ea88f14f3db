import { z } from "zod";
import { anyBillSchema } from "../../billing/any-bill.ts";
import { usageExportSchema } from "../../billing/export.ts";
import { powerStateSchema } from "../../enablement/power.ts";
import { imageManifestSchema } from "../../image/manifest.ts";
import { quoteSchema } from "../../market/quote.ts";
import { COUNT_MAX, requirementSchema } from "../../market/requirement.ts";
import {
  digestText,
  idSchema,
  instantText,
  jwkSchema,
  jwsText,
  nameText,
  naturalText,
} from "../../unit/schema.ts";
import { operation } from "./operation.ts";
import { newRunSchema } from "./run.ts";
import {
  billSummaryView,
  imageView,
  leaseEventView,
  leaseView,
  matchView,
  mismatchView,
  partyView,
  roleSchema,
  togetherView,
  usageView,
} from "./view.ts";

/** An id, or a name: never a character that no name has. */
export const idOrName = z.string().regex(/^[a-z0-9][a-z0-9_-]{0,99}$/, "expected an id or a name");

export const publicOperations = {
  describeServer: operation({
    method: "GET",
    path: "/v1/public/server",
    summary: "Who this server is: its id, public keys, currency and billing time zone.",
    response: z.strictObject({
      serverId: z.string(),
      version: z.string(),
      currency: z.string(),
      minorUnitDigits: z.number().int(),
      billingTimeZone: z.string(),
      /** All that ever signed; the last one does now. */
      keys: z.array(jwkSchema),
      /** How each was let in by the one before: who has pinned one follows to the others. */
      successionJws: z.array(jwsText),
      now: instantText,
    }),
  }),
  whoami: operation({
    method: "GET",
    path: "/v1/whoami",
    summary: "The party that the key belongs to.",
    response: partyView,
  }),
  listImages: operation({
    method: "GET",
    path: "/v1/images",
    summary: "The operating systems on the file server.",
    response: z.strictObject({ images: z.array(imageView) }),
  }),
};

export const operatorOperations = {
  addParty: operation({
    method: "POST",
    path: "/v1/operator/parties",
    summary: "A party and its first key, which is shown once.",
    body: z.strictObject({ name: nameText, roles: z.array(roleSchema).min(1) }),
    response: z.strictObject({ party: partyView, keyId: idSchema("key"), key: z.string() }),
  }),
  listParties: operation({
    method: "GET",
    path: "/v1/operator/parties",
    summary: "All parties.",
    response: z.strictObject({ parties: z.array(partyView) }),
  }),
  addKey: operation({
    method: "POST",
    path: "/v1/operator/parties/:party/keys",
    summary: "One more key for a party, shown once.",
    params: z.strictObject({ party: idOrName }),
    body: z.strictObject({ label: z.string().regex(/^[\x20-\x7e]{1,64}$/) }),
    response: z.strictObject({ keyId: idSchema("key"), key: z.string() }),
  }),
  listKeys: operation({
    method: "GET",
    path: "/v1/operator/parties/:party/keys",
    summary: "The keys of a party, without what they open.",
    params: z.strictObject({ party: idOrName }),
    response: z.strictObject({
      keys: z.array(
        z.strictObject({
          keyId: idSchema("key"),
          label: z.string(),
          createdAt: instantText,
          revokedAt: instantText.nullable(),
        }),
      ),
    }),
  }),
  revokeKey: operation({
    method: "DELETE",
    path: "/v1/operator/keys/:keyId",
    summary: "From now on the key opens nothing.",
    params: z.strictObject({ keyId: idSchema("key") }),
    response: z.strictObject({ keyId: idSchema("key"), revokedAt: instantText }),
  }),
  rotateServerKey: operation({
    method: "POST",
    path: "/v1/operator/server-key",
    summary:
      "A new signing key takes the place of the one named. Repeating it changes nothing more.",
    body: z.strictObject({ retireKid: z.string().max(64) }),
    response: z.strictObject({ kid: z.string(), keys: z.array(jwkSchema) }),
  }),
  listUsageFlags: operation({
    method: "GET",
    path: "/v1/operator/usage-flags",
    summary:
      "Usage that was refused on any host: other content under a known number, and the like.",
    response: z.strictObject({
      flags: z.array(
        z.strictObject({
          at: instantText,
          host: z.strictObject({ id: idSchema("host"), name: nameText }),
          detail: z.record(z.string(), z.unknown()),
        }),
      ),
    }),
  }),
  addImage: operation({
    method: "POST",
    path: "/v1/operator/images",
    summary: "An operating system whose parts are on the file server already.",
    body: z.strictObject({ manifest: imageManifestSchema }),
    response: imageView,
  }),
};

const leaseParams = z.strictObject({ leaseId: idSchema("lease") });
/** A year at most, like an offer's longest lease; a minute at least, like its shortest. */
const extensionSeconds = z
  .number()
  .int()
  .min(60)
  .max(366 * 86_400);
const billParams = z.strictObject({ billId: idSchema("bill") });
export const page = z.strictObject({
  /** The last id of the page before. */
  cursor: z
    .string()
    .regex(/^[a-z0-9_]{1,64}$/)
    .optional(),
  limit: z.coerce.number().int().min(1).max(200).default(50),
});

const booking = {
  requirement: requirementSchema,
  /** The offer that was chosen; without it the best matches are taken. */
  offerId: idSchema("offer").optional(),
  /** The total of the quotes that was agreed to; another price is refused. */
  agreedTotalMicros: naturalText.optional(),
  sshPublicKey: z
    .string()
    .max(1024)
    .regex(/^ssh-ed25519 [A-Za-z0-9+/=]+( [\x20-\x7e]*)?$/, "expected one line: ssh-ed25519 AAAA…"),
  /** What the leases are booked for. */
  run: newRunSchema.optional(),
};

export const clientOperations = {
  search: operation({
    method: "POST",
    path: "/v1/client/searches",
    summary: "What is on offer for a requirement, cheapest first, and why the rest does not match.",
    body: requirementSchema,
    response: z.strictObject({
      matches: z.array(matchView),
      together: togetherView,
      /** Nearest counter-offer first. */
      mismatches: z.array(mismatchView),
    }),
  }),
  bookLease: operation({
    method: "PUT",
    path: "/v1/client/leases/:leaseId",
    summary: "Book. The id is the client's: asking twice is one lease.",
    params: leaseParams,
    body: z.strictObject(booking),
    response: leaseView,
  }),
  bookLeases: operation({
    method: "POST",
    path: "/v1/client/bookings",
    summary: "Book so many partitions at once, all or none. The ids are the client's.",
    body: z.strictObject({
      ...booking,
      /** One for each partition of the requirement's `count`. */
      leaseIds: z.array(idSchema("lease")).min(1).max(COUNT_MAX),
    }),
    response: z.strictObject({ leases: z.array(leaseView) }),
  }),
  listLeases: operation({
    method: "GET",
    path: "/v1/leases",
    summary: "Leases that you borrow or lend, newest first.",
    query: page.extend({ state: z.enum(["open", "all"]).default("all") }),
    response: z.strictObject({ leases: z.array(leaseView), nextCursor: z.string().nullable() }),
  }),
  showLease: operation({
    method: "GET",
    path: "/v1/leases/:leaseId",
    summary: "One lease and its events.",
    params: leaseParams,
    response: z.strictObject({ lease: leaseView, events: z.array(leaseEventView) }),
  }),
  quoteExtension: operation({
    method: "POST",
    path: "/v1/client/leases/:leaseId/extension-quotes",
    summary: "What a longer lease would cost, and whether it can be had now.",
    params: leaseParams,
    body: z.strictObject({ seconds: extensionSeconds }),
    response: z.strictObject({
      leaseId: idSchema("lease"),
      end: instantText,
      /** Of the whole lease then. */
      quote: quoteSchema,
      additionalMicros: naturalText,
    }),
  }),
  extendLease: operation({
    method: "PUT",
    path: "/v1/client/leases/:leaseId/extensions/:extensionId",
    summary:
      "Extend a lease at its own price. Pending until its host has acknowledged it. The id is the client's: asking twice is one extension.",
    params: leaseParams.extend({ extensionId: idSchema("extension") }),
    body: z.strictObject({
      seconds: extensionSeconds,
      /** The most that it may add to what the lease costs. */
      maxAdditionalMicros: naturalText.optional(),
    }),
    response: leaseView,
  }),
  endLease: operation({
    method: "POST",
    path: "/v1/client/leases/:leaseId/end",
    summary: "End a lease now. Repeating it changes nothing.",
    params: leaseParams,
    response: leaseView,
  }),
  setPower: operation({
    method: "PUT",
    path: "/v1/client/leases/:leaseId/power",
    summary: "Power a lease's guest off, on, or off and on. Repeating a number changes nothing.",
    params: leaseParams,
    body: z.strictObject({
      state: powerStateSchema,
      /** One more than the lease's present one. */
      generation: z.number().int().positive(),
    }),
    response: leaseView,
  }),
  readConsole: operation({
    method: "GET",
    path: "/v1/client/leases/:leaseId/console",
    summary: "The end of what the guest wrote to its console: the guest's own characters.",
    params: leaseParams,
    response: z.strictObject({ leaseId: idSchema("lease"), text: z.string() }),
  }),
  openRelay: operation({
    method: "POST",
    path: "/v1/client/leases/:leaseId/relay-tickets",
    summary:
      "A ticket for one WebSocket to a ready lease's guest, at /v1/client/leases/:leaseId/relay.",
    params: leaseParams,
    response: z.strictObject({
      leaseId: idSchema("lease"),
      /** Opens the way once, soon, with the same key. It is shown here and kept nowhere. */
      ticket: z.string().min(1).max(128),
      expiresAt: instantText,
    }),
  }),
  listBills: operation({
    method: "GET",
    path: "/v1/bills",
    summary: "Bills that you pay or earn from, newest first.",
    query: page.extend({ leaseId: idSchema("lease").optional() }),
    response: z.strictObject({
      bills: z.array(billSummaryView),
      nextCursor: z.string().nullable(),
    }),
  }),
  showBill: operation({
    method: "GET",
    path: "/v1/bills/:billId",
    summary: "One bill with its lines.",
    params: billParams,
    response: z.strictObject({ bill: anyBillSchema }),
  }),
  showUsage: operation({
    method: "GET",
    path: "/v1/leases/:leaseId/usage",
    summary: "What of a lease is used so far, and what that costs.",
    params: leaseParams,
    response: usageView,
  }),
  exportUsage: operation({
    method: "GET",
    path: "/v1/usage-export",
    summary:
      "Everything that checks bills elsewhere: grants, signed records, receipts, keys. Of a bill and those before it, of a lease, or of all leases and all enabled capacity that were in use in a time.",
    query: z.strictObject({
      billId: idSchema("bill").optional(),
      leaseId: idSchema("lease").optional(),
      from: instantText.optional(),
      to: instantText.optional(),
    }),
    response: usageExportSchema,
  }),
};

/** Not JSON, so beside the table: `PUT /v1/operator/blobs/:digest`, `GET|HEAD /images/:digest`,
 * `GET /v1/leases/:leaseId/changes` (server-sent events), `/healthz`, `/readyz`, `/metrics`,
 * `/v1/openapi.json`, and the agents' WebSocket. */
export const blobParams = z.strictObject({ digest: digestText });
