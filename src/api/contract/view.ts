import { z } from "zod";
import { BILL_KINDS, billLineSchema, missingRecordsSchema } from "../../billing/bill.ts";
import { powerStateSchema } from "../../enablement/power.ts";
import { hostFactsSchema } from "../../host/capacity.ts";
import { HOST_STATES } from "../../host/liveness.ts";
import { imageManifestSchema } from "../../image/manifest.ts";
import { BORROWERS, labelsSchema } from "../../market/condition.ts";
import { quoteSchema } from "../../market/quote.ts";
import { tariffSchema } from "../../market/tariff.ts";
import { windowSchema } from "../../market/window.ts";
import { accessSchema } from "../../partition/signed.ts";
import { ROLES } from "../../party/role.ts";
import {
  architectureSchema,
  cpuModeSchema,
  idSchema,
  instantText,
  integerText,
  jwkSchema,
  jwsText,
  nameText,
  naturalText,
  sizeSchema,
} from "../../unit/schema.ts";

/** What the API shows of each noun. */

export const roleSchema = z.enum(ROLES);

export const partyView = z.strictObject({
  partyId: idSchema("party"),
  name: nameText,
  roles: z.array(roleSchema),
});

const partyName = z.strictObject({ id: idSchema("party"), name: nameText });
const hostName = z.strictObject({ id: idSchema("host"), name: nameText });
const partitionName = z.strictObject({ id: idSchema("partition"), name: nameText });

export const hostView = z.strictObject({
  hostId: idSchema("host"),
  name: nameText,
  lender: partyName,
  /** `expected`: no agent has joined yet. `removed` hosts are found by their id alone. */
  state: z.enum(HOST_STATES),
  seenAt: instantText.nullable(),
  /** No new leases since then; those that exist go on. */
  drainedAt: instantText.nullable(),
  /** No lease during it; an end of null is until it is lifted. */
  maintenance: z.strictObject({ start: instantText, end: instantText.nullable() }).nullable(),
  removedAt: instantText.nullable(),
  architecture: architectureSchema.nullable(),
  facts: hostFactsSchema.nullable(),
  /** reserve + base + standby is all that the agent was told it may use. */
  reserve: sizeSchema,
  base: sizeSchema,
  standby: sizeSchema,
  /** Base less what is reserved now. */
  free: sizeSchema,
});

/** A code whose resource-time serves leases: lent by the host's owner, and not to be kept yet. */
export const lentCodeView = z.strictObject({
  codeId: idSchema("code"),
  providerId: idSchema("party"),
  resource: z.enum(["cpu", "memory"]),
  /** The most at once, and what leases have of it now: milliCores or bytes. */
  quantity: z.number().int(),
  inUse: z.number().int(),
  validity: z.strictObject({ start: instantText, end: instantText }),
  /** milliCore- or byte-nanoseconds: when it was lent, and what no lease had or has reserved. */
  resourceTime: naturalText,
  unreserved: naturalText,
  /** New leases may have of it. */
  isOpen: z.boolean(),
  /** When the last reservation of it ends; null: nothing is reserved. */
  reservedUntil: instantText.nullable(),
});

export const hostEventView = z.strictObject({
  at: instantText,
  /** `enrolled`, `late`, `lost`, `back`, `drained`, `maintenance-set` … */
  kind: z.string(),
  detail: z.record(z.string(), z.unknown()),
});

export const offerView = z.strictObject({
  offerId: idSchema("offer"),
  /** Null for what may be carved from the host, which `carve` tells. */
  partition: partitionName.nullable(),
  host: hostName,
  carve: z.strictObject({ cpuMode: cpuModeSchema, max: sizeSchema }).nullable(),
  tariff: tariffSchema,
  leaseSecondsMin: z.number().int(),
  leaseSecondsMax: z.number().int(),
  windows: z.array(windowSchema),
  timeZone: z.string(),
  borrowers: z.strictObject({ who: z.enum(BORROWERS), parties: z.array(partyName) }),
  labels: labelsSchema,
  internet: z.boolean(),
  createdAt: instantText,
});

export const partitionView = z.strictObject({
  partitionId: idSchema("partition"),
  name: nameText,
  host: hostName,
  lendable: z.boolean(),
  cpuMode: cpuModeSchema,
  /** Made at a booking, for that lease alone. */
  carved: z.boolean(),
  /** What is allocated to it at present. */
  size: sizeSchema,
  /** What it has when no lease says otherwise. */
  standingSize: sizeSchema,
  min: sizeSchema,
  max: sizeSchema,
  generation: z.number().int(),
  inUse: z.strictObject({ leaseId: idSchema("lease"), until: instantText }).nullable(),
  offerId: idSchema("offer").nullable(),
});

export const imageView = z.strictObject({
  imageId: idSchema("image"),
  digest: z.string(),
  manifest: imageManifestSchema,
  createdAt: instantText,
});

export const periodSchema = z.strictObject({ start: instantText, end: instantText });

export const matchView = z.strictObject({
  offerId: idSchema("offer"),
  /** Null: it is carved from the host when it is booked. */
  partition: partitionName.nullable(),
  host: hostName,
  lender: partyName,
  /** What the partition would be; `recut` tells that this differs from what it is. */
  size: sizeSchema,
  recut: z.boolean(),
  cpuMode: cpuModeSchema,
  image: z.strictObject({ imageId: idSchema("image"), name: z.string(), version: z.string() }),
  period: periodSchema,
  tariff: tariffSchema,
  quote: quoteSchema,
});

export const mismatchView = z.strictObject({
  offerId: idSchema("offer"),
  /** Null: it would be carved from the host. */
  partition: partitionName.nullable(),
  host: hostName,
  reasons: z.array(z.strictObject({ code: z.string(), message: z.string() })),
  /** The nearest that would match instead: another size, a shorter lease, or the same later. */
  counter: z
    .discriminatedUnion("kind", [
      z.strictObject({ kind: z.literal("size"), size: sizeSchema }),
      z.strictObject({ kind: z.literal("duration"), durationSeconds: z.number().int() }),
      z.strictObject({ kind: z.literal("start"), start: instantText }),
    ])
    .nullable(),
});

/** The partitions that can be had at once; fewer than `wanted` means that not all can. */
export const togetherView = z.strictObject({
  wanted: z.number().int(),
  matches: z.array(matchView),
  perHourMicros: naturalText,
  totalMicros: naturalText,
});

export const leaseStateSchema = z.enum(["booked", "preparing", "ready", "ending", "ended"]);
export const leaseOutcomeSchema = z.enum([
  "completed",
  "ended-early",
  "failed",
  "not-delivered",
  "cancelled",
]);

export const extensionView = z.strictObject({
  extensionId: idSchema("extension"),
  /** `pending`: not charged, and not sure, until the host has acknowledged it. */
  state: z.enum(["pending", "in-force", "lapsed"]),
  /** Until when the lease lasts with it. */
  end: instantText,
  /** What it adds to what the lease costs at the most. */
  additionalMicros: naturalText,
  /** Why it lapsed. */
  reason: z.string().nullable(),
  createdAt: instantText,
  settledAt: instantText.nullable(),
});

/** What the agent signs. */
export const accessView = accessSchema;

export const leaseView = z.strictObject({
  leaseId: idSchema("lease"),
  state: leaseStateSchema,
  outcome: leaseOutcomeSchema.nullable(),
  /** The last event's reason. */
  reason: z.string().nullable(),
  client: partyName,
  lender: partyName,
  host: hostName,
  partition: partitionName,
  size: sizeSchema,
  cpuMode: cpuModeSchema,
  /** Whether its guest may reach the internet. */
  internet: z.boolean(),
  image: z.strictObject({ imageId: idSchema("image"), name: z.string(), version: z.string() }),
  period: periodSchema.nullable(),
  tariff: tariffSchema,
  quote: quoteSchema,
  /** The longest that the lease may become, extensions included. */
  leaseSecondsMax: z.number().int(),
  /** When it may run, extensions included; none is always. */
  windows: z.array(windowSchema),
  timeZone: z.string(),
  /** In the order in which they were asked for. */
  extensions: z.array(extensionView),
  /** Null unless ready. Only the client sees it. */
  access: accessView.nullable(),
  /** The agent's signature over `access`. */
  accessJws: jwsText.nullable(),
  /**
   * Where there is an access: the agent's keys, oldest first, each with the statement by the one
   * before that let it in. Whoever has pinned one of them follows the statements to the others.
   */
  agentKeys: z
    .array(z.strictObject({ jwk: jwkSchema, rotationJws: jwsText.nullable() }))
    .nullable(),
  /** What the client wants of its guest's power, and up to which number its host has done it. */
  power: z.strictObject({
    state: powerStateSchema,
    generation: z.number().int(),
    doneGeneration: z.number().int(),
  }),
  createdAt: instantText,
  preparingAt: instantText.nullable(),
  readyAt: instantText.nullable(),
  endingAt: instantText.nullable(),
  endedAt: instantText.nullable(),
  billId: idSchema("bill").nullable(),
});
export type LeaseView = z.infer<typeof leaseView>;

export const leaseEventView = z.strictObject({
  seq: z.number().int(),
  at: instantText,
  kind: z.string(),
  reason: z.string().nullable(),
  detail: z.record(z.string(), z.unknown()),
});
export type LeaseEventView = z.infer<typeof leaseEventView>;

export const billSummaryView = z.strictObject({
  billId: idSchema("bill"),
  /** Null: of enabled capacity. */
  leaseId: idSchema("lease").nullable(),
  /** Of the lease's bills, or the provider's for the host, from 1. */
  number: z.number().int(),
  kind: z.enum([...BILL_KINDS, "capacity"]),
  /** From when to when it was used; null when it was not, and in a correction. */
  used: periodSchema.nullable(),
  client: partyName,
  lender: partyName,
  host: hostName,
  closedAt: instantText,
  currency: z.string(),
  totalMicros: integerText,
});

/** What one bill over all of the lease so far would say. */
export const usageView = z.strictObject({
  leaseId: idSchema("lease"),
  state: leaseStateSchema,
  used: periodSchema.nullable(),
  /** So many are there without a gap. */
  records: z.number().int(),
  missing: z.array(missingRecordsSchema),
  elapsedNs: naturalText,
  deliveredNs: naturalText,
  currency: z.string(),
  lines: z.array(billLineSchema),
  costMicros: integerText,
  /** Of that, what closed bills have. */
  billedMicros: integerText,
  billIds: z.array(idSchema("bill")),
});
