import type { Kysely } from "kysely";
import type { DB } from "../../database/types.ts";
import { type CapacityChain, listActsOfKind } from "../../enablement/capacity/act-store.ts";
import type { UsageRecord } from "../../meter/record.ts";
import { type ThresholdStatement, thresholdStated } from "../../meter/threshold-stated.ts";
import { refusal } from "../../refusal/refusal.ts";
import { canonicalJson } from "../../unit/canonical.ts";

/**
 * A check that a record's threshold is what the host's acts state for its period. Throws
 * `record-refused`, or `acts-first` while the act that states it may still be on its way: it was
 * written before the one that names the record.
 */
export async function readThresholdCheck(
  tx: Kysely<DB>,
  chain: CapacityChain,
  isOwnCode: (codeId: string) => boolean,
): Promise<(record: UsageRecord) => void> {
  if (chain.mode === "dedicated") return () => undefined;
  const { hostId, chainId, partitionId } = chain;
  const acts = await listActsOfKind(tx, hostId, ["chain-begun", "threshold-set", "time-to-bill"]);
  const statements = acts.flatMap(({ record: { seq, at, act } }): ThresholdStatement[] => {
    if (act.kind === "threshold-set") {
      const isOurs = (act.providerId ?? chain.providerPartyId) === chain.providerPartyId;
      if (!isOurs || act.partition.id !== partitionId) return [];
      return [{ seq, fromMs: Date.parse(act.from), threshold: act.threshold, chainId: null }];
    }
    if (act.kind !== "chain-begun" || act.partition.id !== partitionId) return [];
    if (!isOwnCode(act.codeId) || act.threshold === null) return [];
    return [{ seq, fromMs: Date.parse(at), threshold: act.threshold, chainId: act.chainId }];
  });
  return (record) => {
    const naming = acts.find(
      ({ record: { act } }) =>
        act.kind === "time-to-bill" &&
        act.period.start === record.capacity?.period.start &&
        act.chains.some((one) => one.chainId === chainId && one.seq >= record.seq),
    );
    const until = naming?.record.seq ?? Number.MAX_SAFE_INTEGER;
    const stated = thresholdStated(record, statements, until);
    const own = record.capacity?.threshold ?? null;
    if (canonicalJson(stated) === canonicalJson(own)) return;
    if (naming === undefined) throw refusal("acts-first", { chainId });
    const message = "its threshold is not what the host's acts state for its period";
    throw refusal("record-refused", { chainId, seq: record.seq, message });
  };
}
