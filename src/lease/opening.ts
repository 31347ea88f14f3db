import type { LentCode } from "../host/lent-code.ts";
import { carvedName, type Partition } from "../host/partition-store.ts";
import type { Host } from "../host/store.ts";
import type { Image } from "../image/store.ts";
import { hostReasons } from "../market/host-reason.ts";
import { type Candidate, type Decision, decideMatch, type Match } from "../market/match.ts";
import type { MarketTerms, Offer } from "../market/offer.ts";
import type { Requirement } from "../market/requirement.ts";
import { newId } from "../unit/id.ts";
import type { Architecture } from "../unit/schema.ts";
import { subtractSizes } from "../unit/size.ts";
import { peakReserved } from "./capacity.ts";
import type { Period } from "./period.ts";
import { type Reservation, TURNAROUND_SECONDS } from "./reservation-store.ts";
import { codesAfter, lentDuring, peakOfBase } from "./standby.ts";

/** A reservation, and whether it is a carved partition's. */
export interface Held extends Reservation {
  readonly carved: boolean;
}

/** Something on offer with what is reserved on its host over time: a candidate for any period. */
export interface Opening {
  readonly partition: Partition;
  readonly host: Host;
  readonly hostLate: boolean;
  readonly offer: Offer;
  /** Of the whole host. */
  readonly held: readonly Held[];
  /** Codes of the host that are lent, by their expiry. */
  readonly lent: readonly LentCode[];
}

/** What a decision about any opening needs. */
export interface Deciding {
  readonly requirement: Requirement;
  readonly images: ReadonlyMap<Architecture, Image>;
  readonly terms: MarketTerms;
  readonly now: Date;
}

/** The period that a requirement means when it is asked at `now`. */
export function periodOf(requirement: Requirement, now: Date): { start: Date; end: Date } {
  const start = requirement.start === null ? now : new Date(requirement.start);
  return { start, end: new Date(start.getTime() + requirement.durationSeconds * 1000) };
}

export function afterTurnaround(end: Date): Date {
  return new Date(end.getTime() + TURNAROUND_SECONDS * 1000);
}

/** Whether this opening meets the requirement. Pure. */
export function decideOpening(deciding: Deciding, opening: Opening): Decision {
  const { requirement, images, terms, now } = deciding;
  const candidate = candidateFor(opening, periodOf(requirement, now), now);
  return decideMatch(requirement, candidate, images, terms);
}

export function candidateFor(
  opening: Opening,
  period: { readonly start: Date; readonly end: Date },
  now: Date,
): Candidate {
  const { partition, host, hostLate, offer, held, lent } = opening;
  const during = { start: period.start, end: afterTurnaround(period.end) };
  const carved = held.filter((one) => one.carved);
  const others = held.filter((one) => one.partitionId !== partition.partitionId);
  return {
    ...{ partition, host, hostLate, offer, period },
    hostClosed: hostReasons(host, during),
    carvable: offer.carve && subtractSizes(offer.carve.max, peakReserved(carved, during)),
    takenUntil: takenUntil(partition, held, during, now),
    reservedByOthers: peakOfBase(others, during),
    // Whole cores of a dedicated partition are what can be enabled; of time on the pool there is none.
    lent: partition.cpuMode === "dedicated" ? lentDuring(lent, host.standby, others, during) : [],
  };
}

/** A lease's reservation in the way, or an earlier lease that has outlived its own. */
function takenUntil(
  partition: Partition,
  held: readonly Held[],
  during: Period,
  now: Date,
): Date | "open" | null {
  const inTheWay = held
    .filter((one) => one.partitionId === partition.partitionId && one.leaseId !== null)
    .filter(({ period }) => during.end === null || period.start < during.end)
    .filter(({ period }) => period.end === null || period.end > during.start)
    .map(({ period }) => period.end);
  if (inTheWay.includes(null)) return "open";
  if (inTheWay.length > 0) return new Date(Math.max(...inTheWay.map(Number)));
  const overrun = partition.inUse !== null && now >= partition.inUse.until && during.start <= now;
  return overrun ? "open" : null;
}

function nextCarved(partition: Partition): Partition {
  const partitionId = newId("partition");
  return { ...partition, partitionId, name: carvedName(partitionId) };
}

/** What is open once a match is booked: its host has less, its partition is taken. */
export function openingsAfter(openings: readonly Opening[], match: Match): readonly Opening[] {
  const { partition, host, period, carvable } = match.candidate;
  const during = { start: period.start, end: afterTurnaround(period.end) };
  const taken: Held = {
    hostId: host.hostId,
    partitionId: partition.partitionId,
    leaseId: newId("lease"),
    size: match.size,
    standby: match.standby,
    period: during,
    carved: carvable !== null,
  };
  return openings.map((opening) => {
    if (opening.host.hostId !== host.hostId) return opening;
    // Its standing reservation gives way for just this period, and this period is all that is asked.
    const kept = opening.held.filter(
      ({ leaseId, partitionId }) => leaseId !== null || partitionId !== partition.partitionId,
    );
    const isCarve = opening.partition.partitionId === partition.partitionId && carvable !== null;
    return {
      ...opening,
      held: [...kept, taken],
      lent: codesAfter(opening.lent, match.standby, during),
      // The next one that is carved is another partition.
      ...(isCarve ? { partition: nextCarved(partition) } : {}),
    };
  });
}
