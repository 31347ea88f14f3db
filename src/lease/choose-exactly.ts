import { standbySize } from "../host/lent-code.ts";
import type { Match } from "../market/match.ts";
import { type Deciding, decideOpening, type Opening, openingsAfter } from "./opening.ts";

/**
 * So many combinations of one host and one number of partitions are kept. A host with up to eight
 * partitions on offer beside what is carved from it has no more (2^8), so nothing is missed there.
 */
const KEPT_MAX = 256;
/** Of all hosts together, each its part: about half a second. Beyond, what was found counts. */
const DECISIONS_MAX = 20_000;

/** Whether so many may be had for what they cost. */
export type Affordable = (matches: readonly Match[]) => boolean;

/**
 * As many as can be had at once, chosen by trying all combinations: those of each host, for hosts
 * share nothing but the limits of price, then of hosts with each other. Of what reaches a number the
 * combinations stay that no other beats in both prices. Misses nothing where no host has more than
 * eight partitions on offer; of a larger host the `KEPT_MAX` that leave it the most are followed, and
 * where `DECISIONS_MAX` are spent no more are looked for. A combination counts when its partitions can be taken one after another. Pure.
 */
export function chooseExactly(
  deciding: Deciding,
  openings: readonly Opening[],
  isAffordable: Affordable,
): readonly Match[] {
  const { count } = deciding.requirement;
  // By number of partitions: the cheapest combinations of the hosts so far.
  let best: (readonly Match[])[][] = [[[]]];
  const hosts = [...byHost(openings)];
  const decisionsMax = Math.ceil(DECISIONS_MAX / Math.max(1, hosts.length));
  for (const ofHost of hosts) {
    const own = combinationsOf(deciding, ofHost, decisionsMax);
    const next: (readonly Match[])[][] = [];
    for (const [taken, before] of best.entries()) {
      for (const [more, combinations] of own.entries()) {
        if (taken + more > count) break;
        const both = before.flatMap((a) => combinations.map((b) => [...a, ...b]));
        next[taken + more] = [...(next[taken + more] ?? []), ...both.filter(isAffordable)];
      }
    }
    best = Array.from(next, (combinations) => unbeaten(combinations ?? []));
  }
  return best.findLast((combinations) => combinations.length > 0)?.[0] ?? [];
}

function byHost(openings: readonly Opening[]): Iterable<readonly Opening[]> {
  return Map.groupBy(openings, ({ host }) => host.hostId).values();
}

interface Combination {
  readonly key: string;
  /** Of the host's openings, those that were taken, in order. */
  readonly taken: readonly number[];
  readonly matches: readonly Match[];
  readonly openings: readonly Opening[];
}

/** By number: what can be taken of one host, one after another, in whatever order. */
function combinationsOf(
  deciding: Deciding,
  openings: readonly Opening[],
  decisionsMax: number,
): (readonly Match[])[][] {
  const { count } = deciding.requirement;
  let left = decisionsMax;
  let level: readonly Combination[] = [{ key: "", taken: [], matches: [], openings }];
  const found: (readonly Match[])[][] = [[[]]];
  while (found.length <= count) {
    const next = new Map<string, Combination>();
    for (const one of level) {
      for (const [index, opening] of one.openings.entries()) {
        const taken = [...one.taken, index].sort((a, b) => a - b);
        // Without lent codes the order in which they are taken makes no difference.
        if (opening.lent.length === 0 && next.has(keyOf(taken, []))) continue;
        if (left-- <= 0) continue;
        const decision = decideOpening(deciding, opening);
        if (!decision.ok) continue;
        const matches = [...one.matches, decision.match];
        const key = keyOf(taken, matches);
        if (next.has(key)) continue;
        const after = openingsAfter(one.openings, decision.match);
        next.set(key, { key, taken, matches, openings: after });
      }
    }
    if (next.size === 0) break;
    level = [...next.values()].toSorted(byRoom).slice(0, KEPT_MAX);
    found.push(unbeaten(level.map(({ matches }) => matches)));
  }
  return found;
}

/**
 * The same whatever the order in which they were taken, as long as they leave the same: who comes
 * while others' standing sizes are in the way takes standby instead.
 */
function keyOf(taken: readonly number[], matches: readonly Match[]): string {
  const { cpuMilli, memoryBytes } = standbySize(matches.flatMap(({ standby }) => standby));
  return [...taken, cpuMilli, memoryBytes].join(" ");
}

/** First what has taken the least of its host. */
function byRoom(a: Combination, b: Combination): number {
  return takenCpu(a.matches) - takenCpu(b.matches);
}

function takenCpu(matches: readonly Match[]): number {
  return matches.reduce((sum, { size, candidate: { partition, carvable } }) => {
    return sum + size.cpuMilli - (carvable === null ? partition.standingSize.cpuMilli : 0);
  }, 0);
}

/** Cheapest in all first; none that another beats in both prices. */
function unbeaten(combinations: readonly (readonly Match[])[]): (readonly Match[])[] {
  const priced = combinations
    .map((matches) => ({
      matches,
      total: sum(matches, "totalMicros"),
      hour: sum(matches, "perHourMicros"),
    }))
    .toSorted((a, b) => compare(a.total, b.total) || compare(a.hour, b.hour));
  const kept: typeof priced = [];
  for (const one of priced) {
    const last = kept.at(-1);
    if (last === undefined || one.hour < last.hour) kept.push(one);
  }
  return kept.map(({ matches }) => matches);
}

function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function sum(matches: readonly Match[], part: keyof Match["quote"]): bigint {
  return matches.reduce((total, { quote }) => total + BigInt(quote[part]), 0n);
}
