import type { Kysely } from "kysely";
import { checkConstraints, violatedConstraint } from "../database/constraint.ts";
import type { DB } from "../database/types.ts";
import { lockHost } from "../host/store.ts";
import type { Match } from "../market/match.ts";
import type { Requirement } from "../market/requirement.ts";
import { refusal } from "../refusal/refusal.ts";
import { canonicalJson, sha256Hex } from "../unit/canonical.ts";
import type { LeaseId, OfferId, PartyId } from "../unit/id.ts";
import { formatMoneyMicros } from "../unit/money.ts";
import { insertLeaseEvent } from "./event-store.ts";
import { type FindInput, type Finding, findMatches, periodOf } from "./find-matches.ts";
import { afterTurnaround, fillStanding, insertReservation } from "./reservation-store.ts";
import { findLease, insertLease, type Lease } from "./store.ts";

/** A booking as the client sent it. */
export interface Booking {
  readonly requirement: Requirement;
  /** The match that was chosen; without it the best one is taken. */
  readonly offerId?: OfferId | undefined;
  /** The quote's total that was agreed to. */
  readonly agreedTotalMicros?: string | undefined;
  readonly sshPublicKey: string;
}

export interface BookInput extends Omit<FindInput, "requirement" | "offerId"> {
  readonly leaseId: LeaseId;
  readonly clientPartyId: PartyId;
  readonly booking: Booking;
}

/**
 * Turns a match into a lease, in the caller's transaction and under its lock of the client: what is
 * on offer is looked at again under the host's lock, then lease and reservations are written. The
 * same id with the same content answers the lease that is there (`created: false`).
 *
 * Refuses: lease-id-reused, image-unknown, unsupported, no-match, just-taken, price-changed.
 */
export async function bookLease(
  tx: Kysely<DB>,
  input: BookInput,
): Promise<{ lease: Lease; created: boolean }> {
  const bookingSha256 = sha256Hex(canonicalJson(input.booking));
  const existing = await findLease(tx, input.leaseId);
  if (existing) {
    const same =
      existing.bookingSha256 === bookingSha256 && existing.clientPartyId === input.clientPartyId;
    if (!same) throw refusal("lease-id-reused", { leaseId: input.leaseId });
    return { lease: existing, created: false };
  }
  const match = await chooseUnderLock(tx, input);
  checkPrice(match, input.booking);
  try {
    await writeLease(tx, input, match, bookingSha256);
    await checkConstraints(tx);
  } catch (error) {
    throw refusalOf(error, match, input.leaseId);
  }
  const lease = await findLease(tx, input.leaseId);
  if (!lease) throw new Error(`${input.leaseId} vanished in its own transaction`);
  return { lease, created: true };
}

async function chooseUnderLock(tx: Kysely<DB>, input: BookInput): Promise<Match> {
  const { requirement, offerId } = input.booking;
  const find = { ...input, requirement, ...(offerId ? { offerId } : {}) };
  const first = await findMatches(tx, find);
  let last: Finding = first;
  for (const { candidate } of first.matches) {
    await lockHost(tx, candidate.host.hostId);
    last = await findMatches(tx, { ...find, offerId: candidate.offer.offerId });
    const match = last.matches[0];
    if (match) return match;
  }
  const taken = first.matches[0];
  if (taken) throw refusal("just-taken", { partition: taken.candidate.partition.name });
  throw refusal("no-match", { reasons: describe(last) });
}

function describe({ mismatches }: Finding): string[] {
  return mismatches
    .slice(0, 5)
    .map(
      ({ candidate, reasons }) =>
        `${candidate.host.name}/${candidate.partition.name}: ${reasons.map((r) => r.message).join(", ")}`,
    );
}

function checkPrice({ quote }: Match, { agreedTotalMicros }: Booking): void {
  if (agreedTotalMicros === undefined || agreedTotalMicros === quote.totalMicros) return;
  throw refusal("price-changed", {
    agreed: formatMoneyMicros(BigInt(agreedTotalMicros)),
    now: formatMoneyMicros(BigInt(quote.totalMicros)),
  });
}

async function writeLease(
  tx: Kysely<DB>,
  input: BookInput,
  match: Match,
  bookingSha256: string,
): Promise<void> {
  const { leaseId, booking, now } = input;
  const { partition, host, offer } = match.candidate;
  const period = periodOf(booking.requirement, now);
  const lease = {
    leaseId,
    clientPartyId: input.clientPartyId,
    lenderPartyId: offer.lenderPartyId,
    hostId: host.hostId,
    partitionId: partition.partitionId,
    offerId: offer.offerId,
    imageId: match.image.imageId,
    bookingSha256,
    period,
    cpuMode: partition.cpuMode,
    size: match.size,
    tariff: match.tariff,
    quote: match.quote,
    leaseSecondsMax: offer.leaseSecondsMax,
    sshPublicKey: booking.sshPublicKey,
  };
  await insertLease(tx, lease, now);
  const held = { start: period.start, end: afterTurnaround(period.end) };
  await insertReservation(tx, { ...lease, period: held }, now);
  await fillStanding(tx, partition, partition.standingSize, now);
  await insertLeaseEvent(tx, {
    leaseId,
    kind: "booked",
    detail: { partition: partition.name, host: host.name, recut: match.recut },
    at: now,
  });
}

function refusalOf(error: unknown, match: Match, leaseId: LeaseId): unknown {
  const { partition } = match.candidate;
  switch (violatedConstraint(error)) {
    case "lease_exclusive":
    case "reservation_exclusive":
    case "host_capacity":
    case "partition_in_use":
      return refusal("just-taken", { partition: partition.name });
    case "lease_pkey":
      return refusal("lease-id-reused", { leaseId });
    default:
      return error;
  }
}
