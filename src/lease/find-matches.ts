import type { Kysely } from "kysely";
import type { DB } from "../database/types.ts";
import { listLentCodes } from "../host/lent-code-store.ts";
import { hostState } from "../host/liveness.ts";
import { carvedName, listPartitions, type Partition } from "../host/partition-store.ts";
import { type Host, mapHosts } from "../host/store.ts";
import { findImages } from "../image/store.ts";
import { type Candidate, type Match, rankMatches } from "../market/match.ts";
import type { Reason } from "../market/mismatch.ts";
import type { Carve, MarketTerms, NamedOffer } from "../market/offer.ts";
import { listOffers } from "../market/offer-store.ts";
import type { Requirement } from "../market/requirement.ts";
import { refusal } from "../refusal/refusal.ts";
import { newId, type OfferId, type PartyId } from "../unit/id.ts";
import { SIZE_ZERO } from "../unit/size.ts";
import { chooseTogether } from "./choose.ts";
import { type Counter, counterOffer } from "./counter-offer.ts";
import {
  afterTurnaround,
  candidateFor,
  type Deciding,
  decideOpening,
  type Held,
  type Opening,
  periodOf,
} from "./opening.ts";
import { readReservations, readStandby } from "./reservation-store.ts";
import { usableCodes } from "./standby.ts";

export interface Mismatch {
  readonly candidate: Candidate;
  readonly reasons: readonly Reason[];
  /** What would match instead; null when nothing near would, or counters were not asked for. */
  readonly counter: Counter | null;
}

export interface Finding {
  /** Ranked, each by itself. */
  readonly matches: readonly Match[];
  /** Those that can be had at once, as many as were wanted or as there are. */
  readonly together: readonly Match[];
  /** Nearest counter-offer first. */
  readonly mismatches: readonly Mismatch[];
}

export interface FindInput {
  readonly requirement: Requirement;
  readonly clientPartyId: PartyId;
  readonly terms: MarketTerms;
  readonly serverUpSince: Date;
  readonly now: Date;
  /** Only this offer; all in force otherwise. */
  readonly offerId?: OfferId;
  /** Look for counter-offers, for which all that is booked ahead is read. */
  readonly counters?: true;
}

/** Searches the resource database: what is lendable, on offer and meets the requirement, ranked. */
export async function findMatches(db: Kysely<DB>, input: FindInput): Promise<Finding> {
  const { requirement, terms, now } = input;
  checkRequirement(requirement, now);
  const images = await findImages(db, requirement.os);
  const openings = await gatherOpenings(db, input);
  const deciding: Deciding = { requirement, images, terms, now };
  const matches: Match[] = [];
  const mismatches: Mismatch[] = [];
  for (const opening of openings) {
    const decision = decideOpening(deciding, opening);
    if (decision.ok) {
      matches.push(decision.match);
      continue;
    }
    const { reasons } = decision;
    const candidate = candidateFor(opening, periodOf(requirement, now), now);
    const counter = input.counters ? counterOffer(deciding, opening, reasons) : null;
    mismatches.push({ candidate, reasons, counter });
  }
  return {
    matches: rankMatches(matches),
    together: chooseTogether(deciding, openings),
    mismatches: mismatches.toSorted(byDistance),
  };
}

function byDistance(a: Mismatch, b: Mismatch): number {
  const [near, far] = [a.counter?.distance, b.counter?.distance];
  if (near === undefined || far === undefined)
    return Number(far !== undefined) - Number(near !== undefined);
  return near - far;
}

/** A start a little in the past is the network's delay; more is a mistake. */
const START_PAST_MS = 60_000;
/** Nobody's computer is promised for longer; what is further ahead is a mistyped year. */
const START_AHEAD_YEARS = 10;
/** The least of a core that control groups give by the time slice. */
const SHARED_CPU_MIN_MILLI = 10;

function checkRequirement({ size, cpuMode, start }: Requirement, now: Date): void {
  if (cpuMode === "dedicated" && (size.cpuMilli === 0 || size.cpuMilli % 1000 !== 0)) {
    throw refusal("unsupported", {
      what: "a fraction of a dedicated core",
      instead: "ask for whole cores, or for shared cpu",
    });
  }
  if (cpuMode === "shared" && size.cpuMilli < SHARED_CPU_MIN_MILLI) {
    throw refusal("unsupported", {
      what: "less than a hundredth of a core",
      instead: `ask for ${SHARED_CPU_MIN_MILLI}m or more`,
    });
  }
  if (start !== null) checkStart(start, now);
}

function checkStart(start: string, now: Date): void {
  const startMs = new Date(start).getTime();
  if (startMs < now.getTime() - START_PAST_MS) {
    throw refusal("invalid-input", { message: `the start ${start} is in the past; use now` });
  }
  if (startMs > now.getTime() + START_AHEAD_YEARS * 366 * 86_400_000) {
    const message = `the start ${start} is more than ${START_AHEAD_YEARS} years ahead; use an earlier one`;
    throw refusal("invalid-input", { message });
  }
}

async function gatherOpenings(db: Kysely<DB>, input: FindInput): Promise<Opening[]> {
  const { requirement, now, serverUpSince, clientPartyId, offerId } = input;
  const filter = { borrowerPartyId: clientPartyId, ...(offerId ? { offerId } : {}) };
  const offers = await listOffers(db, filter);
  const hosts = await mapHosts(db, [...new Set(offers.map((offer) => offer.hostId))]);
  const wanted = periodOf(requirement, now);
  const during = { start: wanted.start, end: input.counters ? null : afterTurnaround(wanted.end) };
  const hostIds = [...hosts.keys()];
  const reservations = hostIds.length > 0 ? await readReservations(db, { during, hostIds }) : [];
  const partitions = new Map(
    (await listPartitions(db, {}, now)).map((partition) => [partition.partitionId, partition]),
  );
  const held: Held[] = reservations.map((reservation) => ({
    ...reservation,
    carved: partitions.get(reservation.partitionId)?.carved ?? false,
  }));
  held.push(...(await readOverrunning(db, [...partitions.values()], now)));
  const codes = Map.groupBy(await listLentCodes(db, hostIds), ({ hostId }) => hostId);
  return offers.flatMap((offer) => {
    const host = hosts.get(offer.hostId);
    if (!host || host.removedAt) return [];
    const partition = offer.carve
      ? toCarve(offer, offer.carve, host, now)
      : partitions.get(offer.partitionId ?? "partition_");
    if (!partition?.lendable) return [];
    const state = hostState(host, { upSince: serverUpSince, now });
    return [
      {
        ...{ partition, host, offer },
        hostLate: state !== "seen",
        held: held.filter(({ hostId }) => hostId === host.hostId),
        lent: usableCodes(codes.get(host.hostId) ?? [], now),
      },
    ];
  });
}

/** Carved partitions whose lease has outlived its reservation: until it is wiped, nobody else has room. */
async function readOverrunning(
  db: Kysely<DB>,
  partitions: readonly Partition[],
  now: Date,
): Promise<Held[]> {
  const held: Held[] = [];
  for (const { partitionId, hostId, size, inUse, carved } of partitions) {
    if (!carved || inUse === null || afterTurnaround(inUse.until) > now) continue;
    const { leaseId } = inUse;
    const standby = await readStandby(db, leaseId);
    const period = { start: now, end: afterTurnaround(now) };
    held.push({ partitionId, hostId, size, standby, carved: true, leaseId, period });
  }
  return held;
}

/** The least that is carved. */
const CARVE_MIN = {
  dedicated: { ...SIZE_ZERO, cpuMilli: 1000, memoryBytes: 1 },
  shared: { ...SIZE_ZERO, cpuMilli: SHARED_CPU_MIN_MILLI, memoryBytes: 1 },
} as const;

/** The partition that a booking would make. */
function toCarve(offer: NamedOffer, { cpuMode, max }: Carve, host: Host, now: Date): Partition {
  const partitionId = newId("partition", now.getTime());
  return {
    ...{ partitionId, name: carvedName(partitionId), cpuMode, max },
    ...{ hostId: host.hostId, hostName: host.name, lenderPartyId: offer.lenderPartyId },
    ...{ lendable: true, carved: true, generation: 0n, inUse: null, offerId: offer.offerId },
    ...{ size: SIZE_ZERO, standingSize: SIZE_ZERO, min: CARVE_MIN[cpuMode] },
  };
}
