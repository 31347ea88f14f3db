import type { Image } from "../image/store.ts";
import { formatMoneyMicros } from "../unit/money.ts";
import { formatBytes, formatCpu, formatDurationSeconds } from "../unit/quantity.ts";
import {
  fitsWithin,
  mapSize,
  RESOURCES,
  type Resource,
  type Size,
  subtractSizes,
} from "../unit/size.ts";
import type { Candidate } from "./match.ts";
import type { Quote } from "./quote.ts";
import type { Requirement } from "./requirement.ts";
import { withStandby } from "./standby.ts";
import { isWithinWindows, windowsText } from "./window.ts";

export const MISMATCH_CODES = [
  "cpu-mode",
  "shared-cpu-unavailable",
  "architecture",
  "os-architecture",
  "os-memory",
  "os-disk",
  "labels",
  "internet",
  "internet-unavailable",
  "size-above-maximum",
  "lease-too-short",
  "lease-too-long",
  "outside-windows",
  "host-late",
  "host-drained",
  "host-maintenance",
  "taken",
  "capacity-short",
  "price-above-limit",
  "cost-above-limit",
] as const;
export type MismatchCode = (typeof MISMATCH_CODES)[number];
export interface Reason {
  readonly code: MismatchCode;
  /** One clause that says by how much it misses. */
  readonly message: string;
}

interface Question {
  readonly requirement: Requirement;
  readonly candidate: Candidate;
  readonly image: Image | undefined;
  /** What the partition would be. */
  readonly size: Size;
  readonly quote: Quote;
}

/** Every reason why a partition does not meet a requirement; none when it does. Pure. */
export function reasonsAgainst(question: Question): Reason[] {
  return [
    ...systemReasons(question),
    ...conditionReasons(question),
    ...sizeReasons(question),
    ...timeReasons(question),
    ...priceReasons(question.requirement, question.quote),
  ];
}

function systemReasons({ requirement, candidate, image, size }: Question): Reason[] {
  const { partition, host } = candidate;
  const reasons: Reason[] = [];
  if (partition.cpuMode !== requirement.cpuMode) {
    reasons.push({ code: "cpu-mode", message: `its cpu is ${partition.cpuMode}` });
  } else if (partition.cpuMode === "shared" && !host.facts?.sharedCpu) {
    reasons.push({ code: "shared-cpu-unavailable", message: "its host cannot share cores yet" });
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
  if (image && size.diskBytes < (image.manifest.diskBytesMin ?? 0)) {
    const least = formatBytes(image.manifest.diskBytesMin ?? 0);
    reasons.push({ code: "os-disk", message: `${requirement.os} needs ${least} of disk` });
  }
  return reasons;
}

function conditionReasons({ requirement, candidate: { offer, host } }: Question): Reason[] {
  const wanted = Object.entries(requirement.labels);
  const missed = wanted.filter(([name, value]) => offer.labels[name] !== value);
  const reasons: Reason[] = missed.map(([name]) => {
    const has = offer.labels[name];
    return { code: "labels", message: has ? `its ${name} is ${has}` : `it has no label ${name}` };
  });
  if (requirement.internet && !offer.internet) {
    reasons.push({ code: "internet", message: "it is lent without the internet" });
  } else if (requirement.internet && !host.facts?.internet) {
    const message = "its host cannot give the internet";
    reasons.push({ code: "internet-unavailable", message });
  }
  return reasons;
}

function sizeReasons({ size, candidate }: Question): Reason[] {
  const { partition } = candidate;
  const reasons: Reason[] = [];
  for (const resource of RESOURCES) {
    if (size[resource] > partition.max[resource]) {
      const message = `it goes up to ${show(resource, partition.max[resource])}`;
      reasons.push({ code: "size-above-maximum", message });
    }
  }
  const available = availableTo(candidate);
  if (!fitsWithin(size, available)) {
    const short = RESOURCES.filter((resource) => size[resource] > available[resource]);
    const parts = short.map((resource) => show(resource, Math.max(available[resource], 0)));
    const left = `its host has ${parts.join(" and ")} left`;
    const isForTime = fitsWithin(size, availableTo(candidate, "quantityAtOnce"));
    const message = isForTime ? `${left}: its lent codes have no resource-time for more` : left;
    reasons.push({ code: "capacity-short", message });
  }
  return reasons;
}

/**
 * What the host, with its lent codes, and the carve have left for this partition during the period:
 * by what their resource-time suffices for, or by what they have at once.
 */
export function availableTo(
  candidate: Candidate,
  part: "quantity" | "quantityAtOnce" = "quantity",
): Size {
  const { lent, carvable } = candidate;
  const left = withStandby(baseLeftTo(candidate), lent, part);
  return mapSize((resource) => Math.min(left[resource], carvable?.[resource] ?? left[resource]));
}

export function baseLeftTo({ host, reservedByOthers }: Candidate): Size {
  return subtractSizes(host.base, reservedByOthers);
}

function timeReasons({ requirement, candidate }: Question): Reason[] {
  const { offer, host, hostLate, takenUntil, period } = candidate;
  const reasons: Reason[] = [];
  if (requirement.durationSeconds < offer.leaseSecondsMin) {
    const least = formatDurationSeconds(offer.leaseSecondsMin);
    reasons.push({ code: "lease-too-short", message: `it is lent for ${least} at least` });
  }
  if (requirement.durationSeconds > offer.leaseSecondsMax) {
    const most = formatDurationSeconds(offer.leaseSecondsMax);
    reasons.push({ code: "lease-too-long", message: `it is lent for ${most} at most` });
  }
  if (!isWithinWindows(offer, period)) {
    reasons.push({ code: "outside-windows", message: `it is lent ${windowsText(offer)}` });
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
