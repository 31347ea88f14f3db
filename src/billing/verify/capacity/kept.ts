import type { HashedAct } from "../../../enablement/capacity/act.ts";
import type { HashedRecord } from "../../../meter/record.ts";

type UsageRecord = HashedRecord["record"];

/** For how long a code was, in part or whole, not its owner's to draw on. */
export interface Kept {
  readonly codeId: string;
  /** Of a reservation; null: it was lent. */
  readonly serviceId: string | null;
  readonly quantity: bigint;
  /** The acts by which it began and ended, and when they were. */
  readonly fromSeq: number;
  readonly from: number;
  untilSeq: number;
  until: number;
}

export function readKept(acts: readonly HashedAct[]): readonly Kept[] {
  const kept: Kept[] = [];
  for (const { record } of acts) {
    const { act, seq } = record;
    const from = Date.parse(record.at);
    const open = { fromSeq: seq, from, untilSeq: Infinity, until: Infinity };
    const end = (isIts: (one: Kept) => boolean) => {
      for (const one of kept) {
        if (one.untilSeq === Infinity && isIts(one)) [one.untilSeq, one.until] = [seq, from];
      }
    };
    if (act.kind === "resource-time-reserved") {
      for (const { codeId, quantity } of act.codes) {
        kept.push({ codeId, serviceId: act.serviceId, quantity: BigInt(quantity), ...open });
      }
    }
    if (act.kind === "resource-time-freed") end((one) => one.serviceId === act.serviceId);
    if (act.kind === "code-lent") {
      kept.push({ codeId: act.codeId, serviceId: null, quantity: 0n, ...open });
    }
    if (act.kind === "code-kept") {
      end((one) => one.serviceId === null && one.codeId === act.codeId);
    }
  }
  return kept;
}

/** So much was kept for a service at an instant; or its record took so much. */
type Step = readonly [at: number, by: bigint];

/** What is still kept behind all of it. What is used beyond that is not owed by what is kept later. */
function stillKept(steps: readonly Step[]): bigint {
  let still = 0n;
  for (const [, by] of [...steps].sort(([a], [b]) => a - b)) {
    still += by;
    if (still < 0n) still = 0n;
  }
  return still;
}

/** Whether a service was given of a code while that was lent: it draws on nothing else. */
function drawsOnLent(kept: readonly Kept[], serviceId: string | undefined): boolean {
  return kept.some(
    (own) =>
      own.serviceId !== null &&
      own.serviceId === serviceId &&
      kept.some(
        ({ codeId, serviceId: whose, fromSeq, untilSeq }) =>
          whose === null &&
          codeId === own.codeId &&
          fromSeq < own.fromSeq &&
          own.fromSeq < untilSeq,
      ),
  );
}

/** How the others' part of a code lies to the time of a record. */
function liesTo({ from: { at }, to }: UsageRecord, { from, until }: Kept) {
  const [begin, end] = [Date.parse(at), Date.parse(to.at)];
  if (end < from || until < begin) return "apart";
  return from <= begin && end <= until ? "around" : "across";
}

/** The first of the codes that a record states, and that was lent to others all the time. */
export function lentTo(record: UsageRecord, kept: readonly Kept[]): string | undefined {
  const { serviceId, debits = [] } = record.capacity ?? {};
  if (drawsOnLent(kept, serviceId)) return undefined;
  const lent = kept.filter((one) => one.serviceId === null && liesTo(record, one) === "around");
  return debits.find(({ codeId }) => lent.some((one) => one.codeId === codeId))?.codeId;
}

/** What of a code a record has: `own` first, and in its turn from `must` to `may`. */
export interface Room {
  readonly own: bigint;
  readonly must: bigint;
  readonly may: bigint;
}

interface Around {
  readonly kept: readonly Kept[];
  /** When the act was that named the record first. */
  readonly until: number;
  /** What records of other services took of a code up to then, and of its own those before it. */
  readonly stepsOf: (serviceId: string, codeId: string) => readonly Step[];
}

/** What the others leave of a code, of which nobody has drawn `left`. */
export function roomOf(
  record: UsageRecord,
  codeId: string,
  left: bigint,
  { kept, until, stepsOf }: Around,
): Room {
  const self = record.capacity?.serviceId ?? "";
  const ofCode = kept.filter((one) => one.codeId === codeId);
  const onLent = drawsOnLent(kept, self);
  const own = ofCode.filter((one) => one.serviceId === self);
  if (onLent && own.length === 0) return { own: 0n, must: 0n, may: 0n };
  const near = ofCode.filter((one) => one.serviceId !== self && liesTo(record, one) !== "apart");
  const lent = onLent ? [] : near.filter(({ serviceId }) => serviceId === null);
  const of = (some: readonly Kept[]) => {
    let sum = 0n;
    for (const serviceId of new Set(some.map((one) => one.serviceId ?? ""))) {
      if (serviceId === "") continue;
      const its = some.filter((one) => one.serviceId === serviceId);
      const steps = its.map(({ from, quantity }): Step => [from, quantity]);
      sum += stillKept([...steps, ...stepsOf(serviceId, codeId)]);
    }
    return sum;
  };
  const surely = near.filter((one) => liesTo(record, one) === "around" && one.until > until);
  const isLent = lent.some((one) => liesTo(record, one) === "around");
  return {
    own: of(own.filter(({ from }) => from <= Date.parse(record.to.at))),
    must: lent.length > 0 ? 0n : left - of(near),
    may: isLent ? 0n : left - of(surely),
  };
}
