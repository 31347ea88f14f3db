import type { CapacityResource } from "../enablement/capacity/resource.ts";
import { ruleName, type Threshold } from "../enablement/capacity/terms.ts";
import { excessAdded, milliCoreNs } from "../meter/excess.ts";
import type { HashedRecord } from "../meter/record.ts";
import { divideHalfEven } from "../unit/money.ts";
import type { CpuMode } from "../unit/schema.ts";

/** A chain as far as it is rated: from its begin, without a gap. */
export interface RatedChain {
  readonly chainId: string;
  readonly partition: { readonly id: string; readonly name: string };
  readonly mode: CpuMode;
  readonly resource: CapacityResource;
  /** The chain's own code prices what no code was left for. */
  readonly codeId: string;
  readonly records: readonly HashedRecord[];
}

export type UseRule =
  | "dedicated-time"
  | "allowance-excess"
  | "rate-excess"
  | "overdraft"
  | "unreturned";

/** What a partition used of one provider's resource in a period, and what of it is charged by what. */
export interface PeriodUse {
  readonly partition: RatedChain["partition"];
  readonly mode: CpuMode;
  readonly resource: CapacityResource;
  readonly period: { readonly start: string; readonly end: string };
  readonly threshold: Threshold | null;
  readonly used: bigint;
  /** Null of dedicated use. */
  readonly excess: bigint | null;
  /** The first is by the base rule, even at zero. */
  readonly parts: readonly { rule: UseRule; codeId: string; quantity: bigint }[];
  readonly records: readonly { chainId: string; fromSeq: number; toSeq: number }[];
}

/** The records do not add up to what follows from their readings; nothing may be billed from them. */
export class UseMismatch extends Error {
  override readonly name = "UseMismatch";
}

/**
 * Rates chains of one provider in the order in which they began; each record counts in the period it
 * lies in, with those that are compared by the same rule.
 */
export function rateUse(chains: readonly RatedChain[]): readonly PeriodUse[] {
  const groups = new Map<string, { chain: RatedChain; pieces: [RatedChain, HashedRecord][] }>();
  for (const chain of chains) {
    for (const hashed of chain.records) {
      const { capacity } = hashed.record;
      if (!capacity) throw new UseMismatch(`a record of ${chain.chainId} says nothing of capacity`);
      const { start, end } = capacity.period;
      const rule = capacity.threshold === null ? "" : ruleName(capacity.threshold);
      const key = [chain.partition.id, chain.mode, chain.resource, start, end, rule].join(" ");
      const group = groups.get(key) ?? { chain, pieces: [] };
      group.pieces.push([chain, hashed]);
      groups.set(key, group);
    }
  }
  return [...groups.values()].map(({ chain, pieces }) => rateGroup(chain, pieces));
}

function rateGroup(
  { partition, mode, resource, codeId }: RatedChain,
  pieces: readonly [RatedChain, HashedRecord][],
): PeriodUse {
  const capacity = pieces[0]?.[1].record.capacity;
  if (!capacity) throw new Error("a group without records");
  const { threshold, period } = capacity;
  const rule = baseRule(threshold);
  const parts = new Map<string, { rule: UseRule; codeId: string; quantity: bigint }>();
  const add = (to: UseRule, by: string, quantity: bigint) => {
    const key = `${to} ${by}`;
    const before = parts.get(key)?.quantity ?? 0n;
    if (quantity > 0n) parts.set(key, { rule: to, codeId: by, quantity: before + quantity });
  };
  let [used, metered, stated] = [0n, 0n, 0n];
  for (const [chain, { record }] of pieces) {
    const piece = { cpuNs: BigInt(record.cpuNs), elapsedNs: BigInt(record.elapsedNs) };
    const own =
      threshold === null
        ? BigInt(resource === "cpu" ? record.size.cpuMilli : record.size.memoryBytes) *
          BigInt(record.deliveredNs)
        : milliCoreNs(piece.cpuNs);
    metered += threshold === null ? own : excessAdded(threshold, used, piece);
    used += own;
    const said = record.capacity;
    if (!said) continue;
    stated += BigInt(said.meteredQuantity);
    const isUnreturned = said.state === "unreturned";
    for (const debit of said.debits) {
      add(isUnreturned ? "unreturned" : rule, debit.codeId, BigInt(debit.quantity));
    }
    add(isUnreturned ? "unreturned" : "overdraft", chain.codeId, BigInt(said.overdraft));
  }
  if (stated !== metered) {
    const message = `${partition.name}'s records from ${period.start} on state ${stated} as metered, and ${metered} follows`;
    throw new UseMismatch(message);
  }
  const all = [...parts.values()];
  const isBase = all.some((part) => part.rule === rule);
  return {
    ...{ partition, mode, resource, period, threshold, used },
    excess: threshold === null ? null : metered,
    parts: isBase ? all : [{ rule, codeId, quantity: 0n }, ...all],
    records: rangesOf(pieces),
  };
}

function baseRule(threshold: Threshold | null): UseRule {
  if (threshold === null) return "dedicated-time";
  return threshold.kind === "allowance" ? "allowance-excess" : "rate-excess";
}

function rangesOf(pieces: readonly [RatedChain, HashedRecord][]): PeriodUse["records"] {
  const ranges = new Map<string, { chainId: string; fromSeq: number; toSeq: number }>();
  for (const [{ chainId }, { record }] of pieces) {
    const range = ranges.get(chainId) ?? { chainId, fromSeq: record.seq, toSeq: record.seq };
    range.toSeq = record.seq;
    ranges.set(chainId, range);
  }
  return [...ranges.values()];
}

/** To whole increments, once a line. */
export function inIncrements(
  quantity: bigint,
  { increment, rounding }: { readonly increment: string; readonly rounding: string },
): bigint {
  const step = BigInt(increment);
  if (rounding === "half-even") return divideHalfEven(quantity, step) * step;
  const down = (quantity / step) * step;
  return rounding === "down" || down === quantity ? down : down + step;
}
