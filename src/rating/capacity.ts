import type { CapacityResource } from "../enablement/capacity/resource.ts";
import { ruleName, type Threshold } from "../enablement/capacity/terms.ts";
import { excessAdded, milliCoreNs } from "../meter/excess.ts";
import type { HashedRecord, UsageRecord } from "../meter/record.ts";
import { canonicalJson } from "../unit/canonical.ts";
import { divideHalfEven } from "../unit/money.ts";
import type { CpuMode } from "../unit/schema.ts";
import type { Hold } from "./holds.ts";
import { type Claim, type DrawnCode, inTurn, keyOf, type Piece } from "./turns.ts";

/** A chain as far as it is rated: from its begin, without a gap. */
export interface RatedChain {
  readonly chainId: string;
  readonly partition: { readonly id: string; readonly name: string };
  readonly mode: CpuMode;
  readonly resource: CapacityResource;
  /** The chain's own code prices what no code was left for. */
  readonly codeId: string;
  readonly records: readonly HashedRecord[];
  /** All that is known of it without a gap, of whatever period: what draws on the codes. */
  readonly known: readonly HashedRecord[];
  /** The act that named a record first. */
  readonly namedBy: (record: UsageRecord) => Piece["named"];
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

/** Something is drawn on that is none of the provider's; nothing may be billed from it. */
export class UseMismatch extends Error {
  override readonly name = "UseMismatch";
}

/** A record whose own numbers do not follow, with what is charged in their place. */
export interface Corrected extends Claim {
  readonly chainId: string;
  readonly seq: number;
}

/**
 * Rates chains of one provider in the order in which they began; each record counts in the period it
 * lies in, with those that are compared by the same rule. What is charged follows from the readings
 * and from what the codes had left; where a record states something else, it is told.
 */
export function rateUse(
  chains: readonly RatedChain[],
  codes: readonly DrawnCode[],
  holds: readonly Hold[],
): { readonly uses: readonly PeriodUse[]; readonly corrected: readonly Corrected[] } {
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
  const all = [...groups.values()].map((group) => ({ ...group, ...meter(group.pieces) }));
  const known = chains.flatMap((chain) => chain.known);
  const claims = inTurn(
    all.flatMap(({ measured }) => measured),
    known,
    codes,
    holds,
  );
  return {
    uses: all.map(({ chain, pieces, used }) => rateGroup(chain, pieces, used, claims)),
    corrected: all.flatMap(({ measured }) => measured).flatMap((one) => correctedOf(one, claims)),
  };
}

/** What follows from the readings of a period, record by record. */
function meter(pieces: readonly [RatedChain, HashedRecord][]) {
  const threshold = pieces[0]?.[1].record.capacity?.threshold ?? null;
  let used = 0n;
  const measured = pieces.map(([chain, { record }]): Piece => {
    const piece = { cpuNs: BigInt(record.cpuNs), elapsedNs: BigInt(record.elapsedNs) };
    const size = chain.resource === "cpu" ? record.size.cpuMilli : record.size.memoryBytes;
    const own =
      threshold === null ? BigInt(size) * BigInt(record.deliveredNs) : milliCoreNs(piece.cpuNs);
    const metered = threshold === null ? own : excessAdded(threshold, used, piece);
    used += own;
    return { record, metered, named: chain.namedBy(record) };
  });
  return { measured, used };
}

function claimOf(record: UsageRecord, claims: ReadonlyMap<string, Claim>): Claim {
  const claim = claims.get(keyOf(record));
  if (!claim) throw new Error(`record ${record.seq} of ${record.chainId} was not looked at`);
  return claim;
}

function correctedOf({ record }: Piece, claims: ReadonlyMap<string, Claim>): readonly Corrected[] {
  const claim = claimOf(record, claims);
  const said = record.capacity;
  const texts = claim.debits.map(({ codeId, quantity }) => ({ codeId, quantity: `${quantity}` }));
  const byCode = (debits: readonly { codeId: string; quantity: string }[]) =>
    canonicalJson(debits.toSorted((a, b) => (a.codeId < b.codeId ? -1 : 1)));
  const isSame =
    said?.meteredQuantity === `${claim.metered}` &&
    said.overdraft === `${claim.overdraft}` &&
    byCode(said.debits.filter(({ quantity }) => quantity !== "0")) === byCode(texts);
  return isSame ? [] : [{ chainId: record.chainId, seq: record.seq, ...claim }];
}

function rateGroup(
  { partition, mode, resource, codeId }: RatedChain,
  pieces: readonly [RatedChain, HashedRecord][],
  used: bigint,
  claims: ReadonlyMap<string, Claim>,
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
  let metered = 0n;
  for (const [chain, { record }] of pieces) {
    const claim = claimOf(record, claims);
    metered += claim.metered;
    const isUnreturned = record.capacity?.state === "unreturned";
    for (const debit of claim.debits) {
      add(isUnreturned ? "unreturned" : rule, debit.codeId, debit.quantity);
    }
    add(isUnreturned ? "unreturned" : "overdraft", chain.codeId, claim.overdraft);
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
