import type { CapacityResource } from "../enablement/capacity/resource.ts";
import type { HashedRecord, UsageRecord } from "../meter/record.ts";
import { type Hold, type Holding, reachOf, type Taken } from "./holds.ts";

/** A code that records may draw on. */
export interface DrawnCode {
  readonly codeId: string;
  readonly resource: CapacityResource;
  readonly resourceTime: bigint;
  readonly validFromMs: number;
  readonly validUntilMs: number;
  /** When the host said that it has it; null: it has not said so. */
  readonly acceptedMs: number | null;
}

/** What of a record is charged, and by which codes. */
export interface Claim {
  readonly metered: bigint;
  readonly debits: readonly { readonly codeId: string; readonly quantity: bigint }[];
  readonly overdraft: bigint;
}

/** A record with what follows of it, and the act that named it first. */
export interface Piece {
  readonly record: UsageRecord;
  readonly metered: bigint;
  readonly named: { readonly seq: number; readonly atMs: number };
}

export function keyOf({ chainId, seq }: Pick<UsageRecord, "chainId" | "seq">): string {
  return `${chainId} ${seq}`;
}

/**
 * What each record draws on: on what is reserved for its service first, and on nothing that is held
 * for others. A code is drawn on before those that expire later, and nothing is overdraft while it
 * has something left: counted by all draws that are known up to the instant of the act that named
 * the record, also of use that no act has named yet. In which order a host took its readings within
 * that time nobody can say, so what a record states counts where the sums allow it. `known` are all
 * records that draw, `pieces` those that are charged.
 */
export function inTurn(
  pieces: readonly Piece[],
  known: readonly HashedRecord[],
  codes: readonly DrawnCode[],
  holds: readonly Hold[],
): ReadonlyMap<string, Claim> {
  const ordered = codes.toSorted(
    (a, b) => a.validUntilMs - b.validUntilMs || (a.codeId < b.codeId ? -1 : 1),
  );
  const drawn = new Map<string, bigint>();
  const claims = new Map<string, Claim>();
  const ofLeases = recordsOfLeases(known, holds);
  for (const stage of stagesOf(pieces)) {
    const untilMs = Math.max(...stage.map(({ named }) => named.atMs));
    const pending = pendingAt(untilMs, known, claims);
    for (const piece of stage) {
      const stated = statedDraws(piece);
      for (const [codeId, quantity] of stated) {
        if (Date.parse(piece.record.to.at) <= untilMs) more(pending, codeId, -quantity);
      }
      const holding = holdingOf(piece.record, untilMs, { holds, ofLeases, claims });
      const leftOf = ({ codeId, resourceTime }: DrawnCode) =>
        resourceTime - (drawn.get(codeId) ?? 0n) - (pending.get(codeId) ?? 0n);
      const claim = drawOf(piece, stated, ordered, { leftOf, holding });
      for (const { codeId, quantity } of claim.debits) more(drawn, codeId, quantity);
      claims.set(keyOf(piece.record), claim);
    }
  }
  return claims;
}

/** By the act that named them first, each in the order of time. */
function stagesOf(pieces: readonly Piece[]): readonly (readonly Piece[])[] {
  const stages = new Map<number, Piece[]>();
  for (const piece of pieces) {
    const stage = stages.get(piece.named.seq) ?? [];
    stages.set(piece.named.seq, stage);
    stage.push(piece);
  }
  const from = ({ record }: Piece) => Date.parse(record.from.at);
  return [...stages]
    .toSorted(([a], [b]) => a - b)
    .map(([, stage]) => stage.toSorted((a, b) => from(a) - from(b)));
}

/** What records up to an instant state that were not looked at yet, by code. */
function pendingAt(
  untilMs: number,
  known: readonly HashedRecord[],
  done: ReadonlyMap<string, Claim>,
): Map<string, bigint> {
  const pending = new Map<string, bigint>();
  for (const { record } of known) {
    if (Date.parse(record.to.at) > untilMs || done.has(keyOf(record))) continue;
    for (const { codeId, quantity } of record.capacity?.debits ?? []) {
      more(pending, codeId, BigInt(quantity));
    }
  }
  return pending;
}

function statedDraws({ record }: Piece): ReadonlyMap<string, bigint> {
  const debits = record.capacity?.debits ?? [];
  return new Map(debits.map(({ codeId, quantity }) => [codeId, BigInt(quantity)]));
}

interface Around {
  readonly leftOf: (code: DrawnCode) => bigint;
  readonly holding: Holding;
}

function drawOf(
  { record, metered }: Piece,
  stated: ReadonlyMap<string, bigint>,
  codes: readonly DrawnCode[],
  { leftOf, holding }: Around,
): Claim {
  const atMs = Date.parse(record.from.at);
  const usable = codes.flatMap((code) => {
    const { codeId } = code;
    const isThere = code.acceptedMs !== null && code.acceptedMs <= atMs;
    const isValid = code.validFromMs <= atMs && atMs < code.validUntilMs;
    const isMeant = isThere && isValid && code.resource === record.capacity?.resource;
    if (!isMeant && !stated.has(codeId)) return [];
    const { own, least, most } = reachOf(record, codeId, leftOf(code), holding);
    const said = lesser(stated.get(codeId) ?? 0n, most);
    return [{ codeId, own, left: greater(least, said) }];
  });
  const debits = new Map<string, bigint>();
  let rest = metered;
  const take = (codeId: string, left: bigint, wanted: bigint) => {
    const before = debits.get(codeId) ?? 0n;
    const quantity = lesser(lesser(left - before, wanted), rest);
    if (quantity <= 0n) return;
    debits.set(codeId, before + quantity);
    rest -= quantity;
  };
  for (const { codeId, own, left } of usable) take(codeId, left, own);
  for (const { codeId, left } of usable) take(codeId, left, rest);
  const parts = [...debits].map(([codeId, quantity]) => ({ codeId, quantity }));
  return { metered, debits: parts, overdraft: rest };
}

/** Of the services that have reservations. */
function recordsOfLeases(known: readonly HashedRecord[], holds: readonly Hold[]) {
  const found = new Map<string, UsageRecord[]>();
  for (const { serviceId } of holds) if (serviceId !== null) found.set(serviceId, []);
  for (const { record } of known) found.get(record.capacity?.serviceId ?? "")?.push(record);
  return found;
}

interface Leases {
  readonly holds: readonly Hold[];
  readonly ofLeases: ReadonlyMap<string, readonly UsageRecord[]>;
  readonly claims: ReadonlyMap<string, Claim>;
}

function holdingOf(
  own: UsageRecord,
  namedMs: number,
  { holds, ofLeases, claims }: Leases,
): Holding {
  const taken = (record: UsageRecord, codeId: string): Taken => {
    const debits = claims.get(keyOf(record))?.debits ?? record.capacity?.debits ?? [];
    const quantity = debits
      .filter((debit) => debit.codeId === codeId)
      .reduce((sum, debit) => sum + BigInt(debit.quantity), 0n);
    return { atMs: Date.parse(record.to.at), quantity };
  };
  return {
    ...{ holds, namedMs },
    takenBy: (serviceId, codeId) =>
      (ofLeases.get(serviceId) ?? [])
        .filter((one) => claims.has(keyOf(one)) || Date.parse(one.to.at) <= namedMs)
        .map((one) => taken(one, codeId)),
    takenBefore: (codeId) =>
      (ofLeases.get(own.capacity?.serviceId ?? "") ?? [])
        .filter((one) => one.chainId === own.chainId && one.seq < own.seq)
        .map((one) => taken(one, codeId)),
  };
}

function lesser(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}

function greater(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}

function more(sums: Map<string, bigint>, key: string, by: bigint): void {
  sums.set(key, (sums.get(key) ?? 0n) + by);
}
