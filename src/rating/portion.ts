import type { UsageRecord } from "../meter/record.ts";

/** A stretch of event time, half-open. A null end is open: the lease's first and last period are. */
export interface Span {
  readonly fromMs: number | null;
  readonly untilMs: number | null;
}

export const ALWAYS: Span = { fromMs: null, untilMs: null };

/**
 * The part of a record's quantity that belongs to a period. Agents cut their records at the edges
 * of months; one that straddles an edge all the same counts as even: before the edge lies its
 * quantity × the time before the edge / all of its time, rounded down, and behind it the rest.
 * So the parts make the whole, however many edges there are. By the instants that the record
 * states; one whose instants lie in no order counts where it begins.
 */
export function portion(quantity: bigint, record: UsageRecord, span: Span): bigint {
  const until = span.untilMs === null ? quantity : before(quantity, record, span.untilMs);
  return span.fromMs === null ? until : until - before(quantity, record, span.fromMs);
}

function before(quantity: bigint, { from, to }: UsageRecord, edgeMs: number): bigint {
  const beginMs = Date.parse(from.at);
  const endMs = Date.parse(to.at);
  if (edgeMs <= beginMs) return 0n;
  if (edgeMs >= endMs) return quantity;
  return (quantity * BigInt(edgeMs - beginMs)) / BigInt(endMs - beginMs);
}

/** Whether any of the record's time, or the instant that it is, lies in the period. */
export function touches({ from, to }: UsageRecord, span: Span): boolean {
  const beginMs = Date.parse(from.at);
  const endMs = Math.max(beginMs + 1, Date.parse(to.at));
  return (
    (span.untilMs === null || beginMs < span.untilMs) &&
    (span.fromMs === null || endMs > span.fromMs)
  );
}
