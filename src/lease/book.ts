import type { Kysely } from "kysely";
import { checkConstraints, violatedConstraint } from "../database/constraint.ts";
import type { DB } from "../database/types.ts";
import { insertCarvedPartition } from "../host/partition-store.ts";
import { lockHost } from "../host/store.ts";
import type { Candidate, Match } from "../market/match.ts";
import type { Requirement } from "../market/requirement.ts";
import { refusal } from "../refusal/refusal.ts";
import { canonicalJson, sha256Hex } from "../unit/canonical.ts";
import type { HostId, LeaseId, OfferId } from "../unit/id.ts";
import { formatMoneyMicros } from "../unit/money.ts";
import { formatBytes } from "../unit/quantity.ts";
import { sumOf } from "./choose.ts";
import { insertLeaseEvent } from "./event-store.ts";
import { type FindInput, type Finding, findMatches } from "./find-matches.ts";
import { afterTurnaround } from "./opening.ts";
import { fillStanding, insertReservation } from "./reservation-store.ts";
import { insertRunLease, insertRunOnce, type NewRun } from "./run-store.ts";
import { findLease, insertLease, type Lease } from "./store.ts";

/** A booking as the client sent it. */
export interface Booking {
  readonly requirement: Requirement;
  /** The offer that was chosen; without it the best matches are taken. */
  readonly offerId?: OfferId | undefined;
  /** The total of the quotes that was agreed to. */
  readonly agreedTotalMicros?: string | undefined;
  readonly sshPublicKey: string;
  /** What is to be run there, if it is booked for that. */
  readonly run?: NewRun | undefined;
}

export interface BookInput extends Omit<FindInput, "requirement" | "offerId" | "counters"> {
  /** One for each partition that is wanted. */
  readonly leaseIds: readonly LeaseId[];
  readonly booking: Booking;
}

/**
 * Turns matches into leases, all or none, in the caller's transaction and under its lock of the
 * client: what is on offer is looked at again under the locks of the hosts, then leases and
 * reservations are written. The same ids with the same content answer the leases that are there
 * (`created: false`).
 *
 * Refuses: invalid-input, run-id-reused, lease-id-reused, image-unknown, unsupported, no-match, just-taken,
 * price-changed.
 */
export async function bookLeases(
  tx: Kysely<DB>,
  input: BookInput,
): Promise<{ leases: readonly Lease[]; created: boolean }> {
  const { leaseIds, booking } = input;
  checkIds(leaseIds, booking.requirement);
  checkOutbox(booking);
  const bookingSha256 = sha256Hex(canonicalJson({ ...booking, leaseIds: [...leaseIds] }));
  const existing = await findExisting(tx, input, bookingSha256);
  if (existing) return { leases: existing, created: false };
  const matches = await chooseUnderLock(tx, input);
  checkPrice(matches, booking);
  if (booking.run) await insertRunOnce(tx, booking.run, input.clientPartyId, input.now);
  try {
    for (const [index, match] of matches.entries()) {
      const leaseId = leaseIds[index];
      if (leaseId) await writeLease(tx, input, { leaseId, match, bookingSha256 });
    }
    await checkConstraints(tx);
  } catch (error) {
    throw refusalOf(error, matches, leaseIds);
  }
  return { leases: await readLeases(tx, leaseIds), created: true };
}

function checkIds(leaseIds: readonly LeaseId[], { count }: Requirement): void {
  if (leaseIds.length === count && new Set(leaseIds).size === count) return;
  throw refusal("invalid-input", {
    message: `${count} partitions need ${count} different lease ids; ${leaseIds.length} were sent; send one for each`,
  });
}

/** What is kept is kept on the lease's own disk, which leaves the guest at least as much again. */
function checkOutbox({ requirement, run }: Booking): void {
  if (!run?.outbox || run.outbox.bytes < requirement.size.diskBytes) return;
  throw refusal("invalid-input", {
    message: `${formatBytes(run.outbox.bytes)} for outputs leave nothing of the disk of ${formatBytes(requirement.size.diskBytes)}; ask for more disk or keep less`,
  });
}

/** The leases of an earlier booking under these ids, when it was the very same one. */
async function findExisting(
  tx: Kysely<DB>,
  { leaseIds, clientPartyId }: BookInput,
  bookingSha256: string,
): Promise<readonly Lease[] | null> {
  const found: Lease[] = [];
  for (const leaseId of leaseIds) {
    const lease = await findLease(tx, leaseId);
    if (lease === undefined) continue;
    const same = lease.bookingSha256 === bookingSha256 && lease.clientPartyId === clientPartyId;
    if (!same) throw refusal("lease-id-reused", { leaseId });
    found.push(lease);
  }
  return found.length > 0 ? found : null;
}

async function readLeases(tx: Kysely<DB>, leaseIds: readonly LeaseId[]): Promise<Lease[]> {
  const leases: Lease[] = [];
  for (const leaseId of leaseIds) {
    const lease = await findLease(tx, leaseId);
    if (!lease) throw new Error(`${leaseId} vanished in its own transaction`);
    leases.push(lease);
  }
  return leases;
}

/**
 * What is chosen is sure once all its hosts are locked: then nobody else books there. Locking a
 * host waits for those who book there now, so each time the choice is made anew.
 */
async function chooseUnderLock(tx: Kysely<DB>, input: BookInput): Promise<readonly Match[]> {
  const { requirement, offerId } = input.booking;
  const find = { ...input, requirement, ...(offerId ? { offerId } : {}) };
  const locked = new Set<HostId>();
  let hoped: Match | undefined;
  for (;;) {
    const finding = await findMatches(tx, find);
    const { together } = finding;
    if (together.length < requirement.count) throw refuseTooFew(finding, requirement, hoped);
    hoped = together[0];
    const more = new Set(together.map(({ candidate }) => candidate.host.hostId));
    const unlocked = [...more].filter((hostId) => !locked.has(hostId)).sort();
    if (unlocked.length === 0) return together;
    for (const hostId of unlocked) {
      await lockHost(tx, hostId);
      locked.add(hostId);
    }
  }
}

function refuseTooFew(finding: Finding, { count }: Requirement, hoped: Match | undefined): Error {
  if (hoped) return refusal("just-taken", { partition: placeOf(hoped.candidate) });
  const { together, mismatches } = finding;
  const few = `${together.length} of ${count} partitions can be had at once`;
  const reasons = mismatches
    .slice(0, 5)
    .map(
      ({ candidate, reasons }) =>
        `${placeOf(candidate)}: ${reasons.map((r) => r.message).join(", ")}`,
    );
  return refusal("no-match", { reasons: count > 1 ? [few, ...reasons] : reasons });
}

function checkPrice(matches: readonly Match[], { agreedTotalMicros }: Booking): void {
  const totalMicros = sumOf(matches, "totalMicros");
  if (agreedTotalMicros === undefined || BigInt(agreedTotalMicros) === totalMicros) return;
  throw refusal("price-changed", {
    agreed: formatMoneyMicros(BigInt(agreedTotalMicros)),
    now: formatMoneyMicros(totalMicros),
  });
}

async function writeLease(
  tx: Kysely<DB>,
  { booking, clientPartyId, now }: BookInput,
  { leaseId, match, bookingSha256 }: { leaseId: LeaseId; match: Match; bookingSha256: string },
): Promise<void> {
  const { partition, host, offer, period, carvable } = match.candidate;
  if (carvable) await insertCarvedPartition(tx, partition, match.size, now);
  const lease = {
    leaseId,
    clientPartyId,
    lenderPartyId: offer.lenderPartyId,
    hostId: host.hostId,
    partitionId: partition.partitionId,
    offerId: offer.offerId,
    imageId: match.image.imageId,
    bookingSha256,
    period,
    cpuMode: partition.cpuMode,
    internet: booking.requirement.internet,
    size: match.size,
    tariff: match.tariff,
    quote: match.quote,
    leaseSecondsMax: offer.leaseSecondsMax,
    windows: offer.windows,
    timeZone: offer.timeZone,
    sshPublicKey: booking.sshPublicKey,
  };
  await insertLease(tx, lease, now);
  if (booking.run) await insertRunLease(tx, booking.run, leaseId);
  const held = { start: period.start, end: afterTurnaround(period.end) };
  await insertReservation(tx, { ...lease, standby: match.standby, period: held }, now);
  if (!carvable) {
    const { standingSize: size, cpuMode } = partition;
    await fillStanding(tx, partition, { size, cpuMode, yielding: true }, now);
  }
  await insertLeaseEvent(tx, {
    leaseId,
    kind: "booked",
    detail: {
      partition: partition.name,
      host: host.name,
      recut: match.recut,
      carved: carvable !== null,
    },
    at: now,
  });
}

function placeOf({ partition, carvable, host }: Candidate): string {
  return carvable ? `${host.name} (carved)` : `${host.name}/${partition.name}`;
}

function refusalOf(
  error: unknown,
  matches: readonly Match[],
  leaseIds: readonly LeaseId[],
): unknown {
  const [match] = matches;
  switch (violatedConstraint(error)) {
    case "lease_exclusive":
    case "reservation_exclusive":
    case "host_capacity":
    case "carve_limit":
    case "standby_capacity":
    case "lent_code_closed":
    case "lent_code_quantity":
    case "lent_code_time":
    case "lent_code_validity":
    case "host_drained":
    case "host_maintenance":
    case "host_removed":
    case "partition_in_use":
      return refusal("just-taken", { partition: match ? placeOf(match.candidate) : "" });
    case "lease_pkey":
      return refusal("lease-id-reused", { leaseId: leaseIds.join(", ") });
    default:
      return error;
  }
}
