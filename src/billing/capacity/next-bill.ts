import { RECORDS_DEADLINE_HOURS } from "../time-to-close.ts";
import { basisOf, type CapacityBasis } from "./basis.ts";
import type { CapacityBill } from "./bill.ts";
import type { BillingFacts } from "./facts.ts";

type Known = Pick<BillingFacts, "toBill" | "chains" | "recordsOf" | "missingActs">;

export type NextBill =
  | (Pick<CapacityBill, "act" | "period"> &
      CapacityBasis & {
        readonly named: ReadonlySet<string>;
        readonly corrects?: CapacityBill;
      })
  /** Null: for what comes. */
  | { readonly waitsUntil: Date | null };

/** The first time to bill without a bill, or the correction of the last one; each when it is due. */
export function nextBill(facts: Known, earlier: readonly CapacityBill[], now: Date): NextBill {
  const billed = new Set(earlier.map(({ act }) => act.seq));
  const act = facts.toBill.find(({ record }) => !billed.has(record.seq));
  let waitsUntil: Date | null = null;
  if (act) {
    const next = billOf(facts, earlier, act);
    const own = next.missing.some(({ chainId }) => next.named.has(chainId));
    const deadline = after(act.receivedAt);
    const isWhole = !own && next.missingActs.length === 0;
    if (isWhole || now >= deadline) return next;
    waitsUntil = deadline;
  }
  const last = earlier.at(-1);
  const corrected = facts.toBill.find(({ record }) => record.seq === last?.act.seq);
  if (!last?.incomplete || !corrected) return { waitsUntil };
  const next = billOf(facts, earlier, corrected);
  const isWhole = next.missing.length + next.missingActs.length === 0;
  const deadline = after(new Date(last.closedAt));
  if (isWhole || (isMore(next, last) && now >= deadline)) return { ...next, corrects: last };
  if (!isMore(next, last)) return { waitsUntil };
  return { waitsUntil: waitsUntil && waitsUntil < deadline ? waitsUntil : deadline };
}

/** Bills are cumulative: one for an act that came late is of all that was billed before it, too. */
function billOf(
  facts: Known,
  earlier: readonly CapacityBill[],
  { record, hash }: BillingFacts["toBill"][number],
) {
  const last = Math.max(record.seq, ...earlier.map(({ act }) => act.seq));
  const acts = facts.toBill.map((one) => one.record).filter(({ seq }) => seq <= last);
  const { seq, at, act } = record;
  const missingActs = facts.missingActs
    .filter(({ fromSeq }) => fromSeq <= last)
    .map(({ fromSeq, toSeq }) => ({ fromSeq, toSeq: Math.min(toSeq, last) }));
  return {
    ...basisOf({ ...facts, acts, missingActs }),
    act: { seq, hash, at, reason: act.reason },
    period: act.period,
    named: new Set<string>(act.chains.map(({ chainId }) => chainId)),
  };
}

function after(date: Date): Date {
  return new Date(date.getTime() + RECORDS_DEADLINE_HOURS * 3_600_000);
}

/** Whether a bill made now would rest on more than the last one did. */
function isMore({ chains }: CapacityBasis, { evidence }: CapacityBill): boolean {
  const before = new Map<string, number>(evidence.chains.map((one) => [one.chainId, one.seq]));
  return chains.some(
    ({ chainId, records }) => (records.at(-1)?.record.seq ?? 0) > (before.get(chainId) ?? 0),
  );
}
