import { z } from "zod";
import { borrowersSchema, labelsSchema } from "../../market/condition.ts";
import { timeZoneText, WINDOWS_MAX, windowSchema } from "../../market/window.ts";
import {
  cpuModeSchema,
  guestSizeSchema,
  idSchema,
  instantText,
  microsText,
  nameText,
} from "../../unit/schema.ts";
import { operation } from "./operation.ts";
import { idOrName } from "./people.ts";
import { hostEventView, hostView, lentCodeView, offerView, partitionView } from "./view.ts";

/** What a lender says of an offer. */
const conditions = {
  priceMicrosPerCoreHour: microsText,
  /** Of shared cpu, by what is used. */
  priceMicrosPerSharedCoreHour: microsText.default("0"),
  priceMicrosPerMemoryGibHour: microsText,
  priceMicrosPerDiskGibHour: microsText,
  priceMicrosPerHour: microsText,
  leaseSecondsMin: z.number().int().min(60),
  leaseSecondsMax: z
    .number()
    .int()
    .max(366 * 86_400),
  /** The whole lease lies in these weekly ranges; none: always. */
  windows: z.array(windowSchema).max(WINDOWS_MAX).default([]),
  timeZone: timeZoneText.default("UTC"),
  borrowers: borrowersSchema.default({ who: "everyone" }),
  labels: labelsSchema.default({}),
  internet: z.boolean().default(false),
};

export const lenderOperations = {
  addHost: operation({
    method: "POST",
    path: "/v1/lender/hosts",
    summary: "Expect a host; answers the one-time token that its agent joins with.",
    body: z.strictObject({ name: nameText }),
    response: z.strictObject({ host: hostView, joinToken: z.string(), expiresAt: instantText }),
  }),
  listHosts: operation({
    method: "GET",
    path: "/v1/lender/hosts",
    summary: "Your hosts.",
    response: z.strictObject({ hosts: z.array(hostView) }),
  }),
  showHost: operation({
    method: "GET",
    path: "/v1/lender/hosts/:host",
    summary: "One host by id or name, with its newest events.",
    params: z.strictObject({ host: idOrName }),
    response: z.strictObject({
      host: hostView,
      partitions: z.array(partitionView),
      lentCodes: z.array(lentCodeView),
      events: z.array(hostEventView),
    }),
  }),
  drainHost: operation({
    method: "PUT",
    path: "/v1/lender/hosts/:host/drain",
    summary: "From now on no new leases, or again new ones; those that exist go on.",
    params: z.strictObject({ host: idOrName }),
    body: z.strictObject({ drained: z.boolean() }),
    response: hostView,
  }),
  setMaintenance: operation({
    method: "PUT",
    path: "/v1/lender/hosts/:host/maintenance",
    summary: "A period without leases, or none. Refused when booked leases overlap it.",
    params: z.strictObject({ host: idOrName }),
    body: z.strictObject({
      /** An end of null is until it is lifted; no period at all lifts it. */
      maintenance: z.strictObject({ start: instantText, end: instantText.nullable() }).nullable(),
    }),
    response: hostView,
  }),
  removeHost: operation({
    method: "POST",
    path: "/v1/lender/hosts/:host/removal",
    summary:
      "Take a host off the market for good. Refused while leases are open, unless it is declared dead.",
    params: z.strictObject({ host: idOrName }),
    body: z.strictObject({
      /** It will not come back: open leases end, and nothing proves that they were wiped. */
      dead: z.boolean().default(false),
      /** Its name once more, when it is declared dead. */
      confirmName: z.string().optional(),
    }),
    response: z.strictObject({
      hostId: idSchema("host"),
      removedAt: instantText,
      endedLeaseIds: z.array(idSchema("lease")),
    }),
  }),
  setPartition: operation({
    method: "PUT",
    path: "/v1/lender/hosts/:host/partitions/:name",
    summary: "Make or change a partition. Refused while it is in use.",
    params: z.strictObject({ host: idOrName, name: nameText }),
    body: z.strictObject({
      lendable: z.boolean(),
      cpuMode: cpuModeSchema,
      size: guestSizeSchema,
      min: guestSizeSchema.optional(),
      max: guestSizeSchema.optional(),
    }),
    response: partitionView,
  }),
  listPartitions: operation({
    method: "GET",
    path: "/v1/lender/partitions",
    summary: "The partitions of your hosts.",
    response: z.strictObject({ partitions: z.array(partitionView) }),
  }),
  removePartition: operation({
    method: "DELETE",
    path: "/v1/lender/hosts/:host/partitions/:name",
    summary: "Remove a partition. Refused while it is in use or booked.",
    params: z.strictObject({ host: idOrName, name: nameText }),
    response: z.strictObject({ partitionId: idSchema("partition") }),
  }),
  setOffer: operation({
    method: "PUT",
    path: "/v1/lender/hosts/:host/partitions/:name/offer",
    summary:
      "On what conditions a partition is lent, from now on; leases keep the terms they were booked on.",
    params: z.strictObject({ host: idOrName, name: nameText }),
    body: z.strictObject(conditions),
    response: offerView,
  }),
  setCarveOffer: operation({
    method: "PUT",
    path: "/v1/lender/hosts/:host/offer",
    summary:
      "What of a host may be carved on request and on what conditions, from now on; leases keep their terms.",
    params: z.strictObject({ host: idOrName }),
    body: z.strictObject({
      ...conditions,
      cpuMode: cpuModeSchema.default("dedicated"),
      /** The most that all carved partitions have at any instant. */
      max: guestSizeSchema,
    }),
    response: offerView,
  }),
  listOffers: operation({
    method: "GET",
    path: "/v1/lender/offers",
    summary: "Your offers in force.",
    response: z.strictObject({ offers: z.array(offerView) }),
  }),
  withdrawOffer: operation({
    method: "DELETE",
    path: "/v1/lender/offers/:offerId",
    summary: "No new leases on these conditions; those that exist go on.",
    params: z.strictObject({ offerId: idSchema("offer") }),
    response: z.strictObject({ offerId: idSchema("offer"), withdrawnAt: instantText }),
  }),
};
