import type { HashedAct } from "../enablement/capacity/act.ts";
import type { UsageRecord } from "../meter/record.ts";

/** From when to when a code, in part or whole, was there for leases alone. */
export interface Hold {
  readonly codeId: string;
  /** Whose reservation it is; null: the code was lent. */
  readonly serviceId: string | null;
  /** What is reserved, in milliCore- or byte-nanoseconds; nothing is said of a lent code. */
  readonly quantity: bigint;
  /** A reservation of a code that was lent: its service draws on nothing else. */
  readonly isOfLent: boolean;
  readonly fromMs: number;
  readonly untilMs: number;
}

/** What acts, in their order, say of codes that were lent and of resource-time that was reserved. */
export function holdsOf(acts: readonly HashedAct[]): readonly Hold[] {
  let holds: readonly Hold[] = [];
  for (const { record } of acts) {
    const { act } = record;
    const fromMs = Date.parse(record.at);
    const end = (isIts: (hold: Hold) => boolean) =>
      holds.map((hold) => (isOpen(hold) && isIts(hold) ? { ...hold, untilMs: fromMs } : hold));
    const open = { fromMs, untilMs: Infinity };
    if (act.kind === "code-lent") {
      const lent = { codeId: act.codeId, serviceId: null, quantity: 0n, isOfLent: false };
      holds = [...holds, { ...lent, ...open }];
    } else if (act.kind === "code-kept") {
      holds = end(({ codeId, serviceId }) => serviceId === null && codeId === act.codeId);
    } else if (act.kind === "resource-time-freed") {
      holds = end(({ serviceId }) => serviceId === act.serviceId);
    } else if (act.kind === "resource-time-reserved") {
      const { serviceId } = act;
      const isLent = (codeId: string) =>
        holds.some((one) => one.serviceId === null && one.codeId === codeId && isOpen(one));
      const parts = act.codes.map(({ codeId, quantity }): Hold => {
        const isOfLent = isLent(codeId);
        return { codeId, serviceId, quantity: BigInt(quantity), isOfLent, ...open };
      });
      holds = [...holds, ...parts];
    }
  }
  return holds;
}

function isOpen({ untilMs }: Hold): boolean {
  return untilMs === Infinity;
}

/** What one record took of a code, and when it ended. */
export interface Taken {
  readonly atMs: number;
  readonly quantity: bigint;
}

/** What of a code a record may draw on, of what others have left of it. */
export interface Reach {
  /** It draws on that before it draws on anything else. */
  readonly own: bigint;
  /** It must draw on so much before it draws on a later code. */
  readonly least: bigint;
  /** It may draw on so much, where it says so. */
  readonly most: bigint;
}

/** What of the codes is held, as a record finds it. */
export interface Holding {
  readonly holds: readonly Hold[];
  /** The instant of the act that named the record. */
  readonly namedMs: number;
  /** What a service took of a code, up to that instant. */
  readonly takenBy: (serviceId: string, codeId: string) => readonly Taken[];
  /** What the records of the same chain before this one took of a code. */
  readonly takenBefore: (codeId: string) => readonly Taken[];
}

/**
 * What is reserved for others is not there, nor a code that is lent, but for a service that was given
 * of it; and that draws on nothing else. Where a hold began or ended within the record's time, and
 * where a reservation was over when the record was named, either way is right.
 */
export function reachOf(
  record: UsageRecord,
  codeId: string,
  free: bigint,
  { holds, namedMs, takenBy, takenBefore }: Holding,
): Reach {
  const [fromMs, toMs] = [Date.parse(record.from.at), Date.parse(record.to.at)];
  const serviceId = record.capacity?.serviceId;
  const mine = holds.filter((one) => one.serviceId === serviceId);
  const isMine = mine.some((one) => one.codeId === codeId);
  const isOfLent = mine.some((one) => one.isOfLent);
  if (isOfLent && !isMine) return { own: 0n, least: 0n, most: 0n };
  const others = holds.filter(
    (one) =>
      one.codeId === codeId &&
      one.serviceId !== serviceId &&
      one.fromMs <= toMs &&
      fromMs <= one.untilMs,
  );
  const isAround = (one: Hold) => one.fromMs <= fromMs && toMs <= one.untilMs;
  let [least, most] = [free, free];
  for (const other of new Set(others.map((one) => one.serviceId))) {
    const its = others.filter((one) => one.serviceId === other);
    if (other === null) {
      if (isOfLent) continue;
      least = 0n;
      if (its.some(isAround)) most = 0n;
      continue;
    }
    const taken = takenBy(other, codeId);
    least -= restOf(its, taken);
    const still = its.filter((one) => isAround(one) && one.untilMs > namedMs);
    most -= restOf(still, taken);
  }
  const ownHolds = mine.filter((one) => one.codeId === codeId && one.fromMs <= toMs);
  return { own: restOf(ownHolds, takenBefore(codeId)), least, most };
}

/** What of reservations is not used; what was used beyond them takes nothing from later ones. */
function restOf(holds: readonly Hold[], taken: readonly Taken[]): bigint {
  const changes = [
    ...holds.map(({ fromMs, quantity }) => ({ atMs: fromMs, by: quantity })),
    ...taken.map(({ atMs, quantity }) => ({ atMs, by: -quantity })),
  ].toSorted((a, b) => a.atMs - b.atMs);
  return changes.reduce((rest, { by }) => (rest + by < 0n ? 0n : rest + by), 0n);
}
