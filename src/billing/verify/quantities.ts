import type { Cause } from "../../meter/cause.ts";
import type { HashedRecord, UsageRecord } from "../../meter/record.ts";
import type { CpuMode } from "../../unit/schema.ts";
import type { BillLine } from "../bill.ts";
import { divide, multiply, rational, roundDown } from "./rational.ts";

/** What was granted, and when the host said that all was wiped, as the bill relied on it. */
export interface Allowed {
  readonly cpuMode: CpuMode;
  readonly grantedFromMs: number;
  readonly grantedUntilMs: number;
  readonly wipedAtMs: number | null;
}

/** A kind of line: what is charged by a rule, or what is not for a cause. */
export type Sort = Pick<BillLine, "resource" | "rule" | "cause">;

export function sortName({ resource, rule, cause }: Sort): string {
  return cause === undefined ? `${resource} ${rule}` : `${resource} ${rule} (${cause})`;
}

/** One piece of the evidence: so much of a sort, evenly over a stretch of event time. */
interface Piece {
  readonly sort: Sort;
  readonly quantity: bigint;
  readonly beginMs: number;
  readonly endMs: number;
}

/** All that a lease comes to, from its begin, cut nowhere yet. */
export function piecesOf(records: readonly HashedRecord[], allowed: Allowed): readonly Piece[] {
  const pieces: Piece[] = [];
  const firstAtMs = records.at(0)?.record.from.at;
  const waitedUntilMs = firstAtMs ? Date.parse(firstAtMs) : (allowed.wipedAtMs ?? -Infinity);
  const lateEndMs = Math.min(waitedUntilMs, allowed.grantedUntilMs);
  if (lateEndMs > allowed.grantedFromMs) {
    const lengthNs = BigInt(lateEndMs - allowed.grantedFromMs) * 1_000_000n;
    pieces.push({
      sort: free("late"),
      quantity: lengthNs,
      beginMs: allowed.grantedFromMs,
      endMs: lateEndMs,
    });
  }
  let roomNs = BigInt(Math.max(0, allowed.grantedUntilMs - allowed.grantedFromMs)) * 1_000_000n;
  for (const { record } of records) {
    const delivered = BigInt(record.deliveredNs);
    const charged = delivered > roomNs ? roomNs : delivered;
    roomNs -= charged;
    const stretch = { beginMs: Date.parse(record.from.at), endMs: Date.parse(record.to.at) };
    const amounts: readonly (readonly [Sort, bigint])[] = [
      ...chargedAmounts(record, charged, allowed.cpuMode),
      [free(record.gap ? "unwitnessed" : "no-answer"), BigInt(record.elapsedNs) - delivered],
      [free("beyond-granted"), delivered - charged],
    ];
    for (const [sort, quantity] of amounts) {
      // More delivered than there was is found where the records are looked at.
      if (quantity >= 0n) pieces.push({ sort, quantity, ...stretch });
    }
  }
  return pieces;
}

function chargedAmounts(record: UsageRecord, ns: bigint, cpuMode: CpuMode) {
  const reserved = "reserved-while-delivered";
  const cpu: readonly [Sort, bigint] =
    cpuMode === "shared"
      ? [{ resource: "cpu", rule: "used-while-delivered" }, usedMilliCoreNs(record, ns)]
      : [{ resource: "cpu", rule: reserved }, BigInt(record.size.cpuMilli) * ns];
  return [
    cpu,
    [{ resource: "memory", rule: reserved }, BigInt(record.size.memoryBytes) * ns],
    [{ resource: "disk", rule: reserved }, BigInt(record.size.diskBytes) * ns],
    [{ resource: "time", rule: reserved }, ns],
  ] as const satisfies readonly (readonly [Sort, bigint])[];
}

function free(cause: Cause): Sort {
  return { resource: "time", rule: "not-delivered", cause };
}

/**
 * Of shared cpu: the record's use for the part of its time that is charged, at an even pace, and
 * at most the cap for that time.
 */
function usedMilliCoreNs(record: UsageRecord, ns: bigint): bigint {
  if (record.elapsedNs === "0") return 0n;
  const cores = divide(rational(BigInt(record.cpuNs)), rational(BigInt(record.elapsedNs)));
  const used = roundDown(multiply(multiply(cores, rational(1000n)), rational(ns)));
  const cap = BigInt(record.size.cpuMilli) * ns;
  return used > cap ? cap : used;
}

/** What of these pieces lies before an instant, by sort; of each, rounded down. */
function earlierThan(pieces: readonly Piece[], instantMs: number): ReadonlyMap<string, bigint> {
  const sums = new Map<string, bigint>();
  for (const { sort, quantity, beginMs, endMs } of pieces) {
    if (instantMs <= beginMs) continue;
    const isWhole = instantMs >= endMs;
    const share = isWhole
      ? rational(1n)
      : rational(BigInt(instantMs - beginMs), BigInt(endMs - beginMs));
    const part = roundDown(multiply(rational(quantity), share));
    sums.set(sortName(sort), (sums.get(sortName(sort)) ?? 0n) + part);
  }
  return sums;
}

/** What a period of event time comes to, by the names of the sorts; those at zero are left out. */
export function quantitiesWithin(
  pieces: readonly Piece[],
  beginMs: number,
  endMs: number,
): ReadonlyMap<string, bigint> {
  const before = earlierThan(pieces, beginMs);
  const until = earlierThan(pieces, endMs);
  const within = new Map<string, bigint>();
  for (const [name, quantity] of until) {
    const difference = quantity - (before.get(name) ?? 0n);
    if (difference !== 0n) within.set(name, difference);
  }
  return within;
}

/** How much of a record's `quantity` lies in a period. */
export function shareWithin(
  record: UsageRecord,
  quantity: bigint,
  beginMs: number,
  endMs: number,
): bigint {
  const piece: Piece = {
    sort: free("late"),
    quantity,
    beginMs: Date.parse(record.from.at),
    endMs: Date.parse(record.to.at),
  };
  return [...quantitiesWithin([piece], beginMs, endMs).values()].at(0) ?? 0n;
}
