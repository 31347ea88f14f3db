import { availableTo, type MismatchCode, type Reason } from "../market/mismatch.ts";
import { nextWindowStart } from "../market/window.ts";
import { mapSize, RESOURCES, type Size, sizesEqual } from "../unit/size.ts";
import { candidateFor, type Deciding, decideOpening, type Opening, periodOf } from "./opening.ts";
import { TURNAROUND_SECONDS } from "./reservation-store.ts";

/** What would match instead: another size, a shorter lease, or the same later. One thing changes. */
export type CounterOffer =
  | { readonly kind: "size"; readonly size: Size }
  | { readonly kind: "duration"; readonly durationSeconds: number }
  | { readonly kind: "start"; readonly start: Date };

/**
 * A counter-offer and how far it is from what was wanted: the part of a resource that changes the
 * most, the part of the duration that is missing, or the wait as a part of the duration.
 */
export interface Counter {
  readonly offer: CounterOffer;
  readonly distance: number;
}

/**
 * The nearest that this opening has instead, or null when neither another size, a shorter lease
 * nor another time helps. Asked for as it is, it matches. Pure.
 */
export function counterOffer(
  deciding: Deciding,
  opening: Opening,
  reasons: readonly Reason[],
): Counter | null {
  const only = (codes: readonly MismatchCode[]) =>
    reasons.every(({ code }) => codes.includes(code));
  const size = only(BY_SIZE) ? nearestSize(deciding, opening) : null;
  const start = only(BY_TIME) ? earliestStart(deciding, opening) : null;
  const { requirement, now } = deciding;
  const bySize: Counter | null = size && {
    offer: { kind: "size", size },
    distance: Math.max(...RESOURCES.map((r) => changeOf(requirement.size[r], size[r]))),
  };
  const byTime: Counter | null = start && {
    offer: { kind: "start", start },
    distance:
      (start.getTime() - periodOf(requirement, now).start.getTime()) /
      (requirement.durationSeconds * 1000),
  };
  const counters = [bySize, byDuration(deciding, opening, reasons), byTime];
  // Of equals the first: a size now, then less time now, then a wait.
  return counters.reduce((nearest, one) => {
    if (nearest === null || one === null) return nearest ?? one;
    return one.distance < nearest.distance ? one : nearest;
  });
}

function byDuration(
  deciding: Deciding,
  opening: Opening,
  reasons: readonly Reason[],
): Counter | null {
  if (!reasons.every(({ code }) => BY_DURATION.includes(code))) return null;
  const durationSeconds = longestFrom(deciding, opening);
  if (durationSeconds === null) return null;
  const wanted = deciding.requirement.durationSeconds;
  return {
    offer: { kind: "duration", durationSeconds },
    distance: (wanted - durationSeconds) / wanted,
  };
}

const BY_SIZE: readonly MismatchCode[] = [
  "size-above-maximum",
  "capacity-short",
  "os-memory",
  "os-disk",
  "price-above-limit",
  "cost-above-limit",
];
const BY_TIME: readonly MismatchCode[] = ["taken", "capacity-short", "outside-windows"];

/** What stands in the way of the end of a lease, and of nothing before it. */
const BY_DURATION: readonly MismatchCode[] = [
  "lease-too-long",
  "outside-windows",
  "host-maintenance",
  "taken",
  "capacity-short",
];

function changeOf(wanted: number, offered: number): number {
  if (wanted === offered) return 0;
  return wanted === 0 ? 1 : Math.abs(offered - wanted) / wanted;
}

/** Steps in which cpu is cut: whole cores, or hundredths of a shared one. */
const CPU_STEP_MILLI = { dedicated: 1000, shared: 10 } as const;

/** Guests have memory and disk in whole MiB. */
function wholeMib(bytes: number): number {
  return bytes - (bytes % 2 ** 20);
}

/** Resources are cut apart from each other, each no more than it must; where the price is too high, cpu. */
function nearestSize(deciding: Deciding, opening: Opening): Size | null {
  const { requirement, images, now } = deciding;
  const { partition, host } = opening;
  const step = CPU_STEP_MILLI[requirement.cpuMode];
  const available = availableTo(candidateFor(opening, periodOf(requirement, now), now));
  const image = host.architecture && images.get(host.architecture);
  const most = mapSize((r) => Math.min(requirement.size[r], partition.max[r], available[r]));
  const size: Size = {
    cpuMilli:
      most.cpuMilli < requirement.size.cpuMilli
        ? most.cpuMilli - (most.cpuMilli % step)
        : most.cpuMilli,
    memoryBytes: Math.max(wholeMib(most.memoryBytes), image?.manifest.memoryBytesMin ?? 1),
    diskBytes: Math.max(wholeMib(most.diskBytes), image?.manifest.diskBytesMin ?? 0),
  };
  const matches = (wanted: Size) =>
    wanted.cpuMilli > 0 &&
    wanted.diskBytes >= 0 &&
    decideOpening({ ...deciding, requirement: { ...requirement, size: wanted } }, opening).ok;
  if (matches(size)) return sizesEqual(size, requirement.size) ? null : size;
  // Less cpu never costs more: the most that is cheap enough is found by halving.
  const withSteps = (steps: number) => ({ ...size, cpuMilli: steps * step });
  let [low, high] = [1, Math.ceil(size.cpuMilli / step) - 1];
  if (high < low || !matches(withSteps(low))) return null;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (matches(withSteps(middle))) low = middle;
    else high = middle - 1;
  }
  return withSteps(low);
}

/** Later ends are not looked at: a search must not take longer the more is booked. */
const INSTANTS_MAX = 500;

/**
 * What is free becomes so only where a reservation ends, or a window or a lent code's validity
 * begins, so the earliest start is one of those instants.
 */
function earliestStart(deciding: Deciding, opening: Opening): Date | null {
  const { requirement, now } = deciding;
  const { start } = periodOf(requirement, now);
  const durationMs = requirement.durationSeconds * 1000;
  const wiped = new Date(start.getTime() + TURNAROUND_SECONDS * 1000);
  const ends = opening.held.flatMap(({ period }) => (period.end === null ? [] : [period.end]));
  const codes = opening.lent.map(({ validity }) => validity.start);
  const instants = [start, wiped, ...ends, ...codes]
    .filter((at) => at >= start)
    .toSorted((a, b) => a.getTime() - b.getTime())
    .slice(0, INSTANTS_MAX)
    .flatMap((at) => nextWindowStart(opening.offer, at, durationMs) ?? [])
    .toSorted((a, b) => a.getTime() - b.getTime());
  const found = instants.find((at) => {
    const later = { ...requirement, start: at.toISOString() };
    return decideOpening({ ...deciding, requirement: later }, opening).ok;
  });
  return found ?? null;
}

/** The least that a requirement may ask for. */
const SECONDS_MIN = 60;

/**
 * The longest lease from the wanted start on, shorter than what was wanted. Of a period that matches
 * every shorter one does, down to the offer's shortest lease, so it is found by halving.
 */
function longestFrom(deciding: Deciding, opening: Opening): number | null {
  const { requirement } = deciding;
  const matches = (durationSeconds: number) =>
    decideOpening({ ...deciding, requirement: { ...requirement, durationSeconds } }, opening).ok;
  let low = Math.max(SECONDS_MIN, opening.offer.leaseSecondsMin);
  let high = requirement.durationSeconds - 1;
  if (high < low || !matches(low)) return null;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (matches(middle)) low = middle;
    else high = middle - 1;
  }
  return low;
}
