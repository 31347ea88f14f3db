/**
 * How long after a lease's end its records are waited for. An agent that was only cut off brings
 * them well within it; a client's funds are not held for ever because of one that never comes.
 */
export const RECORDS_DEADLINE_HOURS = 72;

export interface ClosingFacts {
  /** As the wipe receipt says; null when there is none, because the host was removed. */
  readonly usageSeqFinal: bigint | null;
  readonly isHostRemoved: boolean;
  readonly endedAt: Date;
  /** Records up to this number are there, without a gap; whether the last of them is the final one. */
  readonly contiguousSeq: number;
  readonly hasFinal: boolean;
}

/**
 * A bill closes on the final record; or, `incomplete` and with nothing estimated, on what was shown
 * by the deadline. A removed host's agent is no longer let in: there is nothing to wait for.
 */
export function timeToClose(facts: ClosingFacts, now: Date): "complete" | "incomplete" | "wait" {
  const { usageSeqFinal, contiguousSeq, hasFinal } = facts;
  if (hasFinal || (usageSeqFinal !== null && BigInt(contiguousSeq) >= usageSeqFinal)) {
    return "complete";
  }
  return facts.isHostRemoved || now >= recordsDeadline(facts.endedAt) ? "incomplete" : "wait";
}

export function recordsDeadline(endedAt: Date): Date {
  return new Date(endedAt.getTime() + RECORDS_DEADLINE_HOURS * 3_600_000);
}
