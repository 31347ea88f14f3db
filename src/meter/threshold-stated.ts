import { ruleName, type Threshold } from "../enablement/capacity/terms.ts";
import type { UsageRecord } from "./record.ts";

/** An act by which a host says what a partition may use without charge, from an instant on. */
export interface ThresholdStatement {
  readonly seq: number;
  /** The begin of the first period that it counts for; of a chain's begin, its instant within that. */
  readonly fromMs: number;
  readonly threshold: Threshold;
  /** Of the act that begins a chain. */
  readonly chainId: string | null;
}

/**
 * The threshold that the acts state for a record's period: the last word for the latest period that
 * is not behind it, by the record's rule of comparison. `untilSeq`: the act that named the record
 * first; what is said behind it changes nothing any more. Null: they state none.
 */
export function thresholdStated(
  { capacity, chainId }: UsageRecord,
  statements: readonly ThresholdStatement[],
  untilSeq: number,
): Threshold | null {
  if (!capacity?.threshold) return null;
  const rule = ruleName(capacity.threshold);
  const [startMs, endMs] = [Date.parse(capacity.period.start), Date.parse(capacity.period.end)];
  const said = statements.filter(
    ({ seq, threshold }) => seq < untilSeq && ruleName(threshold) === rule,
  );
  const inForce = said
    .filter((one) => (one.chainId === null ? one.fromMs <= startMs : one.fromMs < endMs))
    .toSorted((a, b) => a.fromMs - b.fromMs || a.seq - b.seq);
  const last = inForce.at(-1) ?? said.find((one) => one.chainId === chainId);
  return last?.threshold ?? null;
}
