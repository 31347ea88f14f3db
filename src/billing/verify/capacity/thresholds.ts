import type { HashedAct } from "../../../enablement/capacity/act.ts";
import { canonicalJson } from "../../../unit/canonical.ts";
import type { CapacityBill } from "../../capacity/bill.ts";
import type { Report } from "../report.ts";
import type { Evidence } from "./evidence.ts";
import { firstNaming, placeOf } from "./turns.ts";
import { type Counted, comparedBy } from "./use.ts";

interface Said {
  readonly seq: number;
  readonly from: number;
  readonly threshold: NonNullable<NonNullable<Counted["record"]["capacity"]>["threshold"]>;
  /** Of the act that begins a chain. */
  readonly chainId: string | null;
  readonly partitionId: string;
}

/**
 * Every record is compared with what the host's acts had stated for its period before they named it:
 * by the act that began a chain of its partition, or by one that set the figure, whichever is for the
 * later period. While acts lack nobody can say.
 */
export function checkThresholds(
  { evidence: { missingActs }, lender }: CapacityBill,
  counted: readonly Counted[],
  { evidence, acts }: { readonly evidence: Evidence; readonly acts: readonly HashedAct[] },
  where: string,
  report: Report,
): void {
  if (missingActs.length > 0) return;
  const said = acts.flatMap((hashed) => saidBy(hashed, lender.id, evidence));
  for (const one of counted) {
    const { period, threshold } = one.record.capacity ?? {};
    if (one.meter.mode === "dedicated" || !period || !threshold) continue;
    const until = firstNaming(acts, one).seq;
    const [start, end] = [Date.parse(period.start), Date.parse(period.end)];
    const before = said
      .filter(({ partitionId }) => partitionId === one.meter.partition.id)
      .filter((word) => word.seq < until && comparedBy(word.threshold) === comparedBy(threshold));
    const inTime = before.filter(({ from, chainId }) => (chainId ? from < end : from <= start));
    const right =
      inTime.sort((a, b) => a.from - b.from || a.seq - b.seq).at(-1) ??
      before.find(({ chainId }) => chainId === one.meter.chainId);
    const isStated = canonicalJson(right?.threshold ?? null) === canonicalJson(threshold);
    const message = "its threshold is not what the host's acts state for its period";
    report.require(isStated, "threshold-not-stated", `${where}, ${placeOf(one.record)}`, message);
  }
}

function saidBy({ record }: HashedAct, providerId: string, { codes }: Evidence): readonly Said[] {
  const { act, seq, at } = record;
  if (act.kind === "threshold-set") {
    const { partition, threshold } = act;
    const isOurs = act.providerId === undefined || act.providerId === providerId;
    const said = { seq, from: Date.parse(act.from), threshold, chainId: null };
    return isOurs ? [{ ...said, partitionId: partition.id }] : [];
  }
  if (act.kind !== "chain-begun" || !codes.has(act.codeId)) return [];
  const { partition, threshold, chainId } = act;
  if (threshold === null) return [];
  return [{ seq, from: Date.parse(at), threshold, chainId, partitionId: partition.id }];
}
