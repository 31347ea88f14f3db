import type { Kysely } from "kysely";
import type { DB } from "../database/types.ts";
import { hostState } from "../host/liveness.ts";
import { listPartitions } from "../host/partition-store.ts";
import { mapHosts } from "../host/store.ts";
import { findImages } from "../image/store.ts";
import {
  type Candidate,
  decideMatch,
  type Match,
  type Reason,
  rankMatches,
} from "../market/match.ts";
import { listOffers, type MarketTerms } from "../market/offer-store.ts";
import type { Requirement } from "../market/requirement.ts";
import { refusal } from "../refusal/refusal.ts";
import type { OfferId } from "../unit/id.ts";
import { peakReserved } from "./capacity.ts";
import type { Period } from "./period.ts";
import { afterTurnaround, type Reservation, readReservations } from "./reservation-store.ts";

export interface Finding {
  readonly matches: readonly Match[];
  readonly mismatches: readonly {
    readonly candidate: Candidate;
    readonly reasons: readonly Reason[];
  }[];
}

export interface FindInput {
  readonly requirement: Requirement;
  readonly terms: MarketTerms;
  readonly serverUpSince: Date;
  readonly now: Date;
  /** Only this offer; all in force otherwise. */
  readonly offerId?: OfferId;
}

/** The period that a requirement means when it is asked at `now`. */
export function periodOf(requirement: Requirement, now: Date): { start: Date; end: Date } {
  const start = requirement.start === null ? now : new Date(requirement.start);
  return { start, end: new Date(start.getTime() + requirement.durationSeconds * 1000) };
}

/** Searches the resource database: what is lendable, on offer and meets the requirement, ranked. */
export async function findMatches(db: Kysely<DB>, input: FindInput): Promise<Finding> {
  const { requirement, terms, now } = input;
  checkRequirement(requirement, now);
  const images = await findImages(db, requirement.os);
  const candidates = await gatherCandidates(db, input);
  const matches: Match[] = [];
  const mismatches: { candidate: Candidate; reasons: readonly Reason[] }[] = [];
  for (const candidate of candidates) {
    const decision = decideMatch(requirement, candidate, images, terms);
    if (decision.ok) matches.push(decision.match);
    else mismatches.push({ candidate, reasons: decision.reasons });
  }
  return { matches: rankMatches(matches), mismatches };
}

/** A start a little in the past is the network's delay; more is a mistake. */
const START_PAST_MS = 60_000;

function checkRequirement(requirement: Requirement, now: Date): void {
  const { size, cpuMode, start } = requirement;
  if (cpuMode === "shared") {
    throw refusal("unsupported", {
      what: "lending shared cpu",
      instead: "ask for dedicated cores",
    });
  }
  if (size.cpuMilli === 0 || size.cpuMilli % 1000 !== 0) {
    throw refusal("unsupported", {
      what: "a fraction of a dedicated core",
      instead: "ask for whole cores",
    });
  }
  if (start !== null && new Date(start).getTime() < now.getTime() - START_PAST_MS) {
    throw refusal("invalid-input", { message: `the start ${start} is in the past; use now` });
  }
}

async function gatherCandidates(db: Kysely<DB>, input: FindInput): Promise<Candidate[]> {
  const { requirement, now, serverUpSince } = input;
  const offers = await listOffers(db, input.offerId ? { offerId: input.offerId } : {});
  const hosts = await mapHosts(db, [...new Set(offers.map((offer) => offer.hostId))]);
  const wanted = periodOf(requirement, now);
  const during = { start: wanted.start, end: afterTurnaround(wanted.end) };
  const hostIds = [...hosts.keys()];
  const reservations = hostIds.length > 0 ? await readReservations(db, { during, hostIds }) : [];
  const partitions = new Map(
    (await listPartitions(db, {}, now)).map((partition) => [partition.partitionId, partition]),
  );
  return offers.flatMap((offer) => {
    const host = hosts.get(offer.hostId);
    const partition = partitions.get(offer.partitionId);
    if (!host || !partition?.lendable) return [];
    const enrolled = host.enrolledAt !== null;
    return [
      {
        partition,
        host,
        offer,
        hostLate: hostState({ enrolled, seenAt: host.seenAt, serverUpSince, now }) !== "seen",
        takenUntil: takenUntil(partition, reservations, during, now),
        reservedByOthers: peakReserved(
          reservations.filter(
            (r) => r.hostId === host.hostId && r.partitionId !== partition.partitionId,
          ),
          during,
        ),
      },
    ];
  });
}

/** A lease's reservation in the way, or an earlier lease that has outlived its own. */
function takenUntil(
  partition: Candidate["partition"],
  reservations: readonly Reservation[],
  during: Period,
  now: Date,
): Date | "open" | null {
  const inTheWay = reservations
    .filter((r) => r.partitionId === partition.partitionId && r.leaseId !== null)
    .map((r) => r.period.end);
  if (inTheWay.length > 0) return inTheWay.at(-1) ?? "open";
  const overrun = partition.inUse !== null && now >= partition.inUse.until && during.start <= now;
  return overrun ? "open" : null;
}
