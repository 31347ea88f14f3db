import type { StandbyPart } from "../host/lent-code.ts";
import type { Partition } from "../host/partition-store.ts";
import type { Host } from "../host/store.ts";
import type { Image } from "../image/store.ts";
import type { Architecture } from "../unit/schema.ts";
import { mapSize, type Size, sizesEqual } from "../unit/size.ts";
import { baseLeftTo, type Reason, reasonsAgainst } from "./mismatch.ts";
import { type MarketTerms, type Offer, tariffOf } from "./offer.ts";
import { quote } from "./price.ts";
import type { Quote } from "./quote.ts";
import type { Requirement } from "./requirement.ts";
import { type LentLeft, standbyParts } from "./standby.ts";
import type { Tariff } from "./tariff.ts";

/** Everything that the decision about one partition and one period needs, gathered beforehand. */
export interface Candidate {
  /** Of an offer to carve: the partition that a booking would make, with the carve's limits. */
  readonly partition: Partition;
  /** What of an offer to carve is left during the period; null for a partition that exists. */
  readonly carvable: Size | null;
  readonly host: Host;
  readonly hostLate: boolean;
  /** Why its host takes no lease during the period, turnaround included. */
  readonly hostClosed: readonly Reason[];
  readonly offer: Offer;
  readonly period: { readonly start: Date; readonly end: Date };
  /** The first lease in the way during the wanted period, turnaround included. */
  readonly takenUntil: Date | "open" | null;
  /** The most that other partitions hold of the host's base at once during the period. */
  readonly reservedByOthers: Size;
  /** What lent codes could add during the period, turnaround included. */
  readonly lent: readonly LentLeft[];
}

export interface Match {
  readonly candidate: Candidate;
  /** What the partition would be: at least its minimum. */
  readonly size: Size;
  /** What of the size is standby's, by lent codes; the rest is the base's. */
  readonly standby: readonly StandbyPart[];
  /** The partition's allocation changes for this lease. */
  readonly recut: boolean;
  readonly image: Image;
  readonly tariff: Tariff;
  readonly quote: Quote;
}

export type Decision =
  | { readonly ok: true; readonly match: Match }
  | { readonly ok: false; readonly reasons: readonly Reason[] };

/** Whether one partition meets a requirement. Pure; gives every reason, not only the first. */
export function decideMatch(
  requirement: Requirement,
  candidate: Candidate,
  images: ReadonlyMap<Architecture, Image>,
  terms: MarketTerms,
): Decision {
  const { partition, host, offer, carvable } = candidate;
  const size = mapSize((r) => Math.max(requirement.size[r], partition.min[r]));
  const image = host.architecture ? images.get(host.architecture) : undefined;
  const tariff = tariffOf(offer, terms);
  const priced = quote(size, partition.cpuMode, requirement.durationSeconds, tariff);
  const reasons = reasonsAgainst({ requirement, candidate, image, size, quote: priced });
  if (reasons.length > 0 || !image) return { ok: false, reasons };
  const recut = carvable === null && !sizesEqual(size, partition.standingSize);
  const standby = standbyParts(size, baseLeftTo(candidate), candidate.lent);
  return { ok: true, match: { candidate, size, standby, recut, image, tariff, quote: priced } };
}

/** Cheapest first; of equals what is cut the least, then partitions before carving, then the older. */
export function rankMatches(matches: readonly Match[]): Match[] {
  return matches.toSorted((a, b) => {
    const price = BigInt(a.quote.totalMicros) - BigInt(b.quote.totalMicros);
    if (price !== 0n) return price < 0n ? -1 : 1;
    if (a.recut !== b.recut) return a.recut ? 1 : -1;
    const [aCarved, bCarved] = [a.candidate.carvable !== null, b.candidate.carvable !== null];
    if (aCarved !== bCarved) return aCarved ? 1 : -1;
    const [aId, bId] = [a.candidate.partition.partitionId, b.candidate.partition.partitionId];
    return aId < bId ? -1 : 1;
  });
}
