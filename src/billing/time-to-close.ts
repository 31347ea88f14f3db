import type { HashedRecord } from "../meter/record.ts";
import type { BillDocument, BillKind, BillPeriod, MissingRecords } from "./bill.ts";
import { nextPeriod } from "./period.ts";

/**
 * How long after a period's or a lease's end its records are waited for. An agent that was only cut
 * off brings them well within it; a client's funds are not held for ever because of one that never
 * comes. What comes later is corrected.
 */
export const RECORDS_DEADLINE_HOURS = 72;

export interface ClosingFacts {
  /** The lease's bills so far, by number. */
  readonly earlier: readonly Pick<BillDocument, "kind" | "period" | "closedAt" | "evidence">[];
  readonly grantedFrom: string;
  readonly timeZone: string;
  /** Null while the lease goes on. */
  readonly endedAt: Date | null;
  /** As the wipe receipt says; null when there is none. */
  readonly usageSeqFinal: bigint | null;
  readonly isHostRemoved: boolean;
  /** The chain from its begin up to the first number that is missing. */
  readonly records: readonly HashedRecord[];
}

export interface TimeToClose {
  readonly kind: BillKind;
  readonly period: BillPeriod | null;
  /** What it is made from: so many of the records. */
  readonly count: number;
  readonly incomplete: boolean;
}

/**
 * Which bill of a lease is to close now, if any. At the edge of a month, once the records reach
 * beyond it; at the lease's end, once its final record is there; both at the latest when the
 * deadline has passed, `incomplete` and with nothing estimated. A removed host's agent is no longer
 * let in: there is nothing to wait for. After the final bill, a correction when all that was
 * missing has come, or some of it and the deadline has passed again.
 */
export function timeToClose(facts: ClosingFacts, now: Date): TimeToClose | null {
  const { records, endedAt } = facts;
  if (facts.earlier.some(({ kind }) => kind === "final")) return correctionDue(facts, now);
  const period = nextPeriod(facts.earlier, facts);
  const edgeMs = Date.parse(period.end);
  const isBeyond = Date.parse(records.at(-1)?.record.to.at ?? facts.grantedFrom) > edgeMs;
  const nowMs = now.getTime();
  if (isBeyond && nowMs >= edgeMs) {
    const reaching = records.findIndex(({ record }) => Date.parse(record.to.at) >= edgeMs);
    const known = facts.earlier.at(-1)?.evidence.finalSeq ?? 0;
    const count = Math.max(reaching + 1, known);
    return { kind: "interim", period, count, incomplete: false };
  }
  if (endedAt !== null) {
    const complete = isComplete(facts);
    if (complete || facts.isHostRemoved || now >= recordsDeadline(endedAt)) {
      const open = { start: period.start, end: null };
      return { kind: "final", period: open, count: records.length, incomplete: !complete };
    }
  }
  return now >= recordsDeadline(new Date(edgeMs))
    ? { kind: "interim", period, count: records.length, incomplete: true }
    : null;
}

export function recordsDeadline(endedAt: Date): Date {
  return new Date(endedAt.getTime() + RECORDS_DEADLINE_HOURS * 3_600_000);
}

/** The numbers behind the last record that is followed without a gap, as far as they are known. */
export function missingRecords(
  seqs: readonly number[],
  count: number,
  seqFinal: bigint | null,
): readonly MissingRecords[] {
  const missing: MissingRecords[] = [];
  let next = count + 1;
  for (const seq of seqs) {
    if (seq < next) continue;
    if (seq > next) missing.push({ fromSeq: next, toSeq: seq - 1 });
    next = seq + 1;
  }
  if (seqFinal === null) missing.push({ fromSeq: next, toSeq: null });
  else if (BigInt(next) <= seqFinal) missing.push({ fromSeq: next, toSeq: Number(seqFinal) });
  return missing;
}

function isComplete({ usageSeqFinal, records }: ClosingFacts): boolean {
  return (
    records.at(-1)?.record.final === true ||
    (usageSeqFinal !== null && BigInt(records.length) >= usageSeqFinal)
  );
}

function correctionDue(facts: ClosingFacts, now: Date): TimeToClose | null {
  const last = facts.earlier.at(-1);
  const count = facts.records.length;
  if (last === undefined || count <= last.evidence.finalSeq) return null;
  const complete = isComplete(facts);
  if (!complete && now < recordsDeadline(new Date(last.closedAt))) return null;
  return { kind: "correction", period: null, count, incomplete: !complete };
}
