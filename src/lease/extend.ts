import type { Kysely } from "kysely";
import { checkConstraints, violatedConstraint } from "../database/constraint.ts";
import type { DB } from "../database/types.ts";
import { listPartitions } from "../host/partition-store.ts";
import { bumpDesiredGeneration, lockHost } from "../host/store.ts";
import { hostReasons } from "../market/host-reason.ts";
import { quote } from "../market/price.ts";
import type { Quote } from "../market/quote.ts";
import { windowEnd, windowsText } from "../market/window.ts";
import { refusal } from "../refusal/refusal.ts";
import type { LeaseId } from "../unit/id.ts";
import { formatDurationSeconds } from "../unit/quantity.ts";
import { fitsWithin, subtractSizes } from "../unit/size.ts";
import { insertLeaseEvent } from "./event-store.ts";
import { checkStandby } from "./extend-standby.ts";
import { type Extension, insertExtension, updateExtension } from "./extension-store.ts";
import {
  afterTurnaround,
  dropOverlappedStanding,
  fillStanding,
  moveReservationEnd,
  readReservations,
  readStandby,
} from "./reservation-store.ts";
import { basePart, peakOfBase } from "./standby.ts";
import { type Lease, lengthenPeriod } from "./store.ts";

/** What an extension comes to, before anything is written. */
export interface ExtensionPlan {
  readonly endsBefore: Date;
  readonly endsAt: Date;
  /** Of the whole lease then, by the lease's own tariff: an extension is not priced anew. */
  readonly quote: Quote;
  /** What the hold rises by. */
  readonly additionalMicros: bigint;
}

export function pendingExtension({ extensions }: Lease): Extension | undefined {
  return extensions.find(({ state }) => state === "pending");
}

/**
 * By the lease's own terms, as its offer had them at the booking; the calendar is asked afterwards.
 * Refuses: lease-over, extension-pending, lease-too-long, lease-outside-windows.
 */
export function planExtension(lease: Lease, seconds: number, now: Date): ExtensionPlan {
  const { leaseId, period, state } = lease;
  if (period === null || state === "ending" || state === "ended") {
    throw refusal("lease-over", { leaseId, state });
  }
  if (period.end <= now) throw refusal("lease-over", { leaseId, state: "at its end" });
  const pending = pendingExtension(lease);
  if (pending) {
    throw refusal("extension-pending", { leaseId, until: pending.endsAt.toISOString() });
  }
  const endsAt = new Date(period.end.getTime() + seconds * 1000);
  checkTerms(lease, period, endsAt);
  return { endsBefore: period.end, endsAt, ...costUntil(lease, endsAt) };
}

/** Of the longest lease and the windows, the one that ends sooner says until when it can last. */
function checkTerms(
  lease: Lease,
  period: { readonly start: Date; readonly end: Date },
  endsAt: Date,
): void {
  const { leaseId, leaseSecondsMax } = lease;
  const longest = new Date(period.start.getTime() + leaseSecondsMax * 1000);
  const closing = windowEnd(lease, period.start);
  if (closing !== null && closing < endsAt && closing < longest) {
    // Booked so, it stays so; it only becomes no longer.
    const until = new Date(Math.max(closing.getTime(), period.end.getTime()));
    const windows = windowsText(lease);
    throw refusal("lease-outside-windows", { leaseId, windows, until: until.toISOString() });
  }
  if (endsAt > longest) {
    const most = formatDurationSeconds(leaseSecondsMax);
    throw refusal("lease-too-long", { leaseId, most, until: longest.toISOString() });
  }
}

/** What the whole lease costs at the most when it ends then, and by how much that is more. */
export function costUntil(
  lease: Lease,
  endsAt: Date,
): Pick<ExtensionPlan, "quote" | "additionalMicros"> {
  if (lease.period === null) throw new Error(`${lease.leaseId} has no period to price`);
  const seconds = Math.ceil((endsAt.getTime() - lease.period.start.getTime()) / 1000);
  const whole = quote(lease.size, lease.cpuMode, seconds, lease.tariff);
  const additionalMicros = BigInt(whole.totalMicros) - BigInt(lease.quote.totalMicros);
  return { quote: whole, additionalMicros: additionalMicros > 0n ? additionalMicros : 0n };
}

/**
 * Whether its host takes leases then, the partition is free for it, wipe turnaround included, and
 * the host has the capacity, its lent codes theirs. Takes the host's lock, under which that stays
 * true. Refuses: host-closed, calendar-full, lent-capacity-short.
 */
export async function checkCalendar(
  tx: Kysely<DB>,
  lease: Lease,
  { endsBefore, endsAt }: Pick<ExtensionPlan, "endsBefore" | "endsAt">,
): Promise<void> {
  const host = await lockHost(tx, lease.hostId);
  const { leaseId, partitionName: partition } = lease;
  const during = { start: afterTurnaround(endsBefore), end: afterTurnaround(endsAt) };
  const [closed] = hostReasons(host, during);
  if (closed) throw refusal("host-closed", { leaseId, host: host.name, reason: closed.message });
  const reservations = await readReservations(tx, { during, hostIds: [lease.hostId] });
  const inTheWay = reservations
    .filter((one) => one.partitionId === lease.partitionId)
    .filter((one) => one.leaseId !== null && one.leaseId !== leaseId)
    .map(({ period }) => period.start.getTime());
  if (inTheWay.length > 0) {
    const freeUntilMs = Math.min(...inTheWay) - (during.end.getTime() - endsAt.getTime());
    throw refusal("calendar-full", {
      leaseId,
      partition,
      until: new Date(Math.max(freeUntilMs, endsBefore.getTime())).toISOString(),
    });
  }
  const others = reservations.filter((one) => one.partitionId !== lease.partitionId);
  const standby = await readStandby(tx, leaseId);
  const free = subtractSizes(host.base, peakOfBase(others, during));
  if (!fitsWithin(basePart({ size: lease.size, standby }), free))
    throw refusal("calendar-full", { leaseId, partition, until: null });
  if (standby.length > 0) await checkStandby(tx, { lease, host, standby, others, during });
}

export type NewExtension = Pick<
  Extension,
  "extensionId" | "requestSha256" | "sequence" | "grantJws"
>;

/**
 * Writes a planned extension: its time is reserved. With a code it is pending until the host has
 * acknowledged that; a lease that was not granted yet has its new end at once. Refuses:
 * calendar-full, extension-id-reused.
 */
export async function writeExtension(
  tx: Kysely<DB>,
  lease: Lease,
  plan: ExtensionPlan,
  asked: NewExtension,
  now: Date,
): Promise<void> {
  const isGranted = asked.grantJws !== null;
  const { leaseId } = lease;
  const state = isGranted ? "pending" : "in-force";
  const settledAt = isGranted ? null : now;
  try {
    await insertExtension(tx, leaseId, {
      ...{ ...asked, ...plan, state, settledAt, reason: null, createdAt: now },
    });
    await reserveUntil(tx, lease, plan.endsAt, now);
    if (!isGranted) await lengthenPeriod(tx, leaseId, plan);
    await checkConstraints(tx);
  } catch (error) {
    throw refusalOf(error, lease, asked);
  }
  const kind = isGranted ? "extension-pending" : "extended";
  await tellOf(tx, { leaseId, kind }, { ...asked, ...plan }, now);
  await bumpDesiredGeneration(tx, lease.hostId);
}

/** What the database refused of an extension, by name; other errors as they are. */
export function refusalOf(
  error: unknown,
  lease: Lease,
  { extensionId }: Pick<NewExtension, "extensionId">,
): unknown {
  switch (violatedConstraint(error)) {
    case "lease_exclusive":
    case "reservation_exclusive":
    case "host_capacity":
    case "carve_limit":
    case "standby_capacity":
    case "lent_code_quantity":
    case "lent_code_time":
    case "lent_code_validity": {
      const { leaseId, partitionName: partition } = lease;
      return refusal("calendar-full", { leaseId, partition, until: null });
    }
    case "lease_extension_pkey":
      return refusal("extension-id-reused", { extensionId });
    default:
      return error;
  }
}

/** The host has taken it: from now on the lease ends later, and its time is charged. */
export async function putInForce(
  tx: Kysely<DB>,
  lease: Lease,
  extension: Extension,
  word: { readonly acknowledgementJws: string; readonly reportId: string; readonly now: Date },
): Promise<void> {
  const { extensionId } = extension;
  const { acknowledgementJws, reportId, now } = word;
  if (extension.state === "lapsed") {
    const pending = pendingExtension(lease);
    const isLonger = pending !== undefined && pending.endsAt > extension.endsAt;
    await reserveUntil(tx, lease, isLonger ? pending.endsAt : extension.endsAt, now);
    await dropOverlappedStanding(tx, lease.leaseId);
  }
  await updateExtension(tx, extensionId, {
    ...{ state: "in-force", reason: null, acknowledgementJws, settledAt: now },
  });
  await lengthenPeriod(tx, lease.leaseId, extension);
  await tellOf(tx, { leaseId: lease.leaseId, kind: "extended", reportId }, extension, now);
}

/**
 * Ends the wait for the host's acknowledgement: what was reserved goes back at once. Answers what is
 * to go back to the client's funds; null when nothing was pending.
 */
export async function lapseExtension(
  tx: Kysely<DB>,
  lease: Lease,
  lapse: { readonly reason: string; readonly now: Date; readonly reportId?: string },
): Promise<bigint | null> {
  const pending = pendingExtension(lease);
  if (pending === undefined) return null;
  const { reason, now, reportId } = lapse;
  const { leaseId } = lease;
  await updateExtension(tx, pending.extensionId, { state: "lapsed", reason, settledAt: now });
  if (lease.period && lease.state !== "ended") await reserveUntil(tx, lease, lease.period.end, now);
  await tellOf(tx, { leaseId, kind: "extension-lapsed", reason, reportId }, pending, now);
  return pending.additionalMicros;
}

async function reserveUntil(tx: Kysely<DB>, lease: Lease, end: Date, now: Date): Promise<void> {
  await moveReservationEnd(tx, lease.leaseId, afterTurnaround(end));
  const partition = (await listPartitions(tx, { hostId: lease.hostId }, now)).find(
    ({ partitionId }) => partitionId === lease.partitionId,
  );
  if (partition && !partition.carved) {
    const { standingSize: size, cpuMode } = partition;
    await fillStanding(tx, lease, { size, cpuMode, yielding: true }, now);
  }
}

async function tellOf(
  tx: Kysely<DB>,
  event: { leaseId: LeaseId; kind: string; reason?: string; reportId?: string | undefined },
  extension: Pick<Extension, "extensionId" | "endsAt" | "additionalMicros">,
  now: Date,
): Promise<void> {
  const { reportId, ...rest } = event;
  await insertLeaseEvent(tx, {
    ...rest,
    ...(reportId === undefined ? {} : { reportId }),
    detail: {
      extensionId: extension.extensionId,
      end: extension.endsAt.toISOString(),
      additionalMicros: extension.additionalMicros.toString(),
    },
    at: now,
  });
}
