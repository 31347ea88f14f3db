import type { Partition } from "../host/partition-store.ts";
import type { Host } from "../host/store.ts";
import type { Image } from "../image/store.ts";
import { formatMoneyMicros } from "../unit/money.ts";
import { formatBytes, formatCpu, formatDurationSeconds } from "../unit/quantity.ts";
import type { Architecture } from "../unit/schema.ts";
import {
  fitsWithin,
  RESOURCES,
  type Resource,
  type Size,
  sizesEqual,
  subtractSizes,
} from "../unit/size.ts";
import type { MarketTerms, Offer } from "./offer-store.ts";
import { tariffOf } from "./offer-store.ts";
import { quote } from "./price.ts";
import type { Quote } from "./quote.ts";
import type { Requirement } from "./requirement.ts";
import type { Tariff } from "./tariff.ts";

/** Everything that the decision about one partition needs, gathered beforehand. */
export interface Candidate {
  readonly partition: Partition;
  readonly host: Host;
  readonly hostLate: boolean;
  /** Why its host takes no lease during the period, turnaround included. */
  readonly hostClosed: readonly Reason[];
  readonly offer: Offer;
  /** The first lease in the way during the wanted period, turnaround included. */
  readonly takenUntil: Date | "open" | null;
  /** The most that other partitions of the host hold at once during the period. */
  readonly reservedByOthers: Size;
}

export interface Match {
  readonly candidate: Candidate;
  /** What the partition would be: at least its minimum. */
  readonly size: Size;
  /** The partition's allocation changes for this lease. */
  readonly recut: boolean;
  readonly image: Image;
  readonly tariff: Tariff;
  readonly quote: Quote;
}

export const MISMATCH_CODES = [
  "cpu-mode",
  "architecture",
  "os-architecture",
  "os-memory",
  "size-above-maximum",
  "lease-too-short",
  "lease-too-long",
  "host-late",
  "host-drained",
  "host-maintenance",
  "taken",
  "capacity-short",
  "price-above-limit",
  "cost-above-limit",
] as const;
export interface Reason {
  readonly code: (typeof MISMATCH_CODES)[number];
  /** One clause that says by how much it misses. */
  readonly message: string;
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
  const { partition, host, offer } = candidate;
  const size = recutSize(requirement.size, partition);
  const image = host.architecture ? images.get(host.architecture) : undefined;
  const tariff = tariffOf(offer, terms);
  const priced = quote(size, partition.cpuMode, requirement.durationSeconds, tariff);
  const reasons = [
    ...systemReasons(requirement, candidate, image, size),
    ...sizeReasons(size, candidate),
    ...timeReasons(requirement, candidate),
    ...priceReasons(requirement, priced),
  ];
  if (reasons.length > 0 || !image) return { ok: false, reasons };
  const recut = !sizesEqual(size, partition.standingSize);
  return { ok: true, match: { candidate, size, recut, image, tariff, quote: priced } };
}

/** Cheapest first; of equals the one that is cut the least, then the older partition. */
export function rankMatches(matches: readonly Match[]): Match[] {
  return matches.toSorted((a, b) => {
    const price = BigInt(a.quote.totalMicros) - BigInt(b.quote.totalMicros);
    if (price !== 0n) return price < 0n ? -1 : 1;
    if (a.recut !== b.recut) return a.recut ? 1 : -1;
    return a.candidate.partition.partitionId < b.candidate.partition.partitionId ? -1 : 1;
  });
}

function recutSize(wanted: Size, { min }: Partition): Size {
  return {
    cpuMilli: Math.max(wanted.cpuMilli, min.cpuMilli),
    memoryBytes: Math.max(wanted.memoryBytes, min.memoryBytes),
    diskBytes: Math.max(wanted.diskBytes, min.diskBytes),
  };
}

function systemReasons(
  requirement: Requirement,
  { partition, host }: Candidate,
  image: Image | undefined,
  size: Size,
): Reason[] {
  const reasons: Reason[] = [];
  if (partition.cpuMode !== requirement.cpuMode) {
    reasons.push({ code: "cpu-mode", message: `its cpu is ${partition.cpuMode}` });
  }
  if (requirement.architecture && host.architecture !== requirement.architecture) {
    reasons.push({ code: "architecture", message: `it is ${host.architecture}` });
  }
  if (!image) {
    const message = `${requirement.os} is not made for ${host.architecture}`;
    reasons.push({ code: "os-architecture", message });
  } else if (size.memoryBytes < image.manifest.memoryBytesMin) {
    const least = formatBytes(image.manifest.memoryBytesMin);
    reasons.push({ code: "os-memory", message: `${requirement.os} needs ${least} of memory` });
  }
  return reasons;
}

function sizeReasons(size: Size, { partition, host, reservedByOthers }: Candidate): Reason[] {
  const available = subtractSizes(host.base, reservedByOthers);
  const reasons: Reason[] = [];
  for (const resource of RESOURCES) {
    if (size[resource] > partition.max[resource]) {
      const message = `it goes up to ${show(resource, partition.max[resource])}`;
      reasons.push({ code: "size-above-maximum", message });
    }
  }
  if (!fitsWithin(size, available)) {
    const short = RESOURCES.filter((resource) => size[resource] > available[resource]);
    const parts = short.map((resource) => show(resource, Math.max(available[resource], 0)));
    reasons.push({ code: "capacity-short", message: `its host has ${parts.join(" and ")} left` });
  }
  return reasons;
}

function timeReasons(requirement: Requirement, candidate: Candidate): Reason[] {
  const { offer, host, hostLate, takenUntil } = candidate;
  const reasons: Reason[] = [];
  if (requirement.durationSeconds < offer.leaseSecondsMin) {
    const least = formatDurationSeconds(offer.leaseSecondsMin);
    reasons.push({ code: "lease-too-short", message: `it is lent for ${least} at least` });
  }
  if (requirement.durationSeconds > offer.leaseSecondsMax) {
    const most = formatDurationSeconds(offer.leaseSecondsMax);
    reasons.push({ code: "lease-too-long", message: `it is lent for ${most} at most` });
  }
  if (hostLate) {
    const since = host.seenAt?.toISOString() ?? "its enrolment";
    reasons.push({ code: "host-late", message: `its host has not been heard since ${since}` });
  }
  reasons.push(...candidate.hostClosed);
  if (takenUntil !== null) {
    const message =
      takenUntil === "open"
        ? "it is still being wiped"
        : `it is taken until ${takenUntil.toISOString()}`;
    reasons.push({ code: "taken", message });
  }
  return reasons;
}

function priceReasons(requirement: Requirement, priced: Quote): Reason[] {
  const reasons: Reason[] = [];
  const { maxPerHourMicros, maxTotalMicros } = requirement;
  if (maxPerHourMicros !== undefined && BigInt(priced.perHourMicros) > BigInt(maxPerHourMicros)) {
    const message = `it costs ${formatMoneyMicros(BigInt(priced.perHourMicros))} an hour`;
    reasons.push({ code: "price-above-limit", message });
  }
  if (maxTotalMicros !== undefined && BigInt(priced.totalMicros) > BigInt(maxTotalMicros)) {
    const message = `it costs up to ${formatMoneyMicros(BigInt(priced.totalMicros))} in all`;
    reasons.push({ code: "cost-above-limit", message });
  }
  return reasons;
}

function show(resource: Resource, amount: number): string {
  if (resource === "cpuMilli") return `${formatCpu(amount)} ${amount === 1000 ? "core" : "cores"}`;
  return `${formatBytes(amount)} of ${resource === "memoryBytes" ? "memory" : "disk"}`;
}
