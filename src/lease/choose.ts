import { type Match, rankMatches } from "../market/match.ts";
import type { Requirement } from "../market/requirement.ts";
import { RESOURCES } from "../unit/size.ts";
import { chooseExactly } from "./choose-exactly.ts";
import { type Deciding, decideOpening, type Opening, openingsAfter } from "./opening.ts";

/**
 * The different partitions that can be had at once: as many as are wanted, or as many as there are.
 * Chosen one after another, each decided with those before it as taken; first by price; where that
 * does not reach, by what takes the least of its host; and where that does not either, by trying
 * the combinations. Pure.
 */
export function chooseTogether(deciding: Deciding, openings: readonly Opening[]): readonly Match[] {
  const byPrice = chooseBy(rankMatches, deciding, openings);
  if (byPrice.length === deciding.requirement.count) return byPrice;
  const byRoom = chooseBy(rankByRoom, deciding, openings);
  if (byRoom.length === deciding.requirement.count) return byRoom;
  const isPayable = (matches: readonly Match[]) => isAffordable(matches, deciding.requirement);
  const tried = chooseExactly(deciding, openings, isPayable);
  return [tried, byRoom, byPrice].reduce((most, one) => (one.length >= most.length ? one : most));
}

function chooseBy(
  rank: (matches: readonly Match[]) => readonly Match[],
  deciding: Deciding,
  openings: readonly Opening[],
): readonly Match[] {
  const { requirement } = deciding;
  const chosen: Match[] = [];
  let open = openings.map((opening) => ({ opening, decision: decideOpening(deciding, opening) }));
  while (chosen.length < requirement.count) {
    const matches = open.flatMap(({ decision }) => (decision.ok ? [decision.match] : []));
    const next = rank(matches).find((match) => isAffordable([...chosen, match], requirement));
    if (next === undefined) break;
    chosen.push(next);
    const after = openingsAfter(
      open.map(({ opening }) => opening),
      next,
    );
    open = open.map((before, index) => {
      const opening = after[index] ?? before.opening;
      return opening === before.opening
        ? before
        : { opening, decision: decideOpening(deciding, opening) };
    });
  }
  return chosen;
}

export function sumOf(matches: readonly Match[], part: keyof Match["quote"]): bigint {
  return matches.reduce((sum, { quote }) => sum + BigInt(quote[part]), 0n);
}

function isAffordable(matches: readonly Match[], requirement: Requirement): boolean {
  const { maxPerHourMicros, maxTotalMicros } = requirement;
  const within = (part: "perHourMicros" | "totalMicros", most: string | undefined) =>
    most === undefined || sumOf(matches, part) <= BigInt(most);
  return within("perHourMicros", maxPerHourMicros) && within("totalMicros", maxTotalMicros);
}

/** First what leaves its host the most: a partition that is cut smaller frees what others need. */
function rankByRoom(matches: readonly Match[]): readonly Match[] {
  return rankMatches(matches).toSorted((a, b) => {
    for (const resource of RESOURCES) {
      const difference = takes(a)[resource] - takes(b)[resource];
      if (difference !== 0) return difference;
    }
    return 0;
  });
}

function takes({ size, candidate: { partition, carvable } }: Match) {
  const { standingSize } = partition;
  const before = carvable === null ? standingSize : { cpuMilli: 0, memoryBytes: 0, diskBytes: 0 };
  return {
    cpuMilli: size.cpuMilli - before.cpuMilli,
    memoryBytes: size.memoryBytes - before.memoryBytes,
    diskBytes: size.diskBytes - before.diskBytes,
  };
}
