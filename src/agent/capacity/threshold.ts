import { periodAt } from "../../enablement/capacity/billing-period.ts";
import { ruleName, type Threshold } from "../../enablement/capacity/terms.ts";
import { inTransaction } from "../../meter/transaction.ts";
import { type Refusal, refusal } from "../../refusal/refusal.ts";
import type { PartitionId, PartyId } from "../../unit/id.ts";
import { listPartitions } from "../allocation/store.ts";
import type { AgentContext } from "../context.ts";
import { writeAct } from "./act-store.ts";
import { basePoolMilli } from "./allowance.ts";
import { type CapacityNow, tellCapacityTime } from "./clock-store.ts";
import { listCodes } from "./code-store.ts";
import { hostIdOf } from "./host.ts";
import { sharedService } from "./meters.ts";
import { entitledMilli } from "./reading.ts";
import { thresholdSetAt, writeThreshold } from "./threshold-store.ts";

export interface ThresholdWish {
  /** For whose codes; left out: whose capacity the pool has, or whose code came last. */
  readonly providerId?: PartyId | undefined;
  readonly partition: string;
  readonly threshold: Threshold;
}

/**
 * Sets what a shared partition may use without charge by one provider's codes, from the next billing
 * period on. Never zero, and all shared partitions together never more than the base pool gives in a
 * period.
 */
export function setThreshold(
  context: AgentContext,
  { providerId, partition: name, threshold }: ThresholdWish,
): { readonly from: string } | Refusal {
  const { db } = context;
  return inTransaction(db, () => {
    const now = tellCapacityTime(context);
    const shared = listPartitions(db).filter((one) => one.cpuMode === "shared");
    const known = shared.find((one) => one.name === name);
    if (known === undefined) return refusal("not-found", { what: "shared partition", id: name });
    const whose = providerId ?? sharedService(context)?.providerId;
    const code = listCodes(db).findLast(
      ({ code: one }) => one.resource === "cpu" && (whose === undefined || one.iss === whose),
    )?.code;
    if (code === undefined) return refusal("capacity-none", { resource: "cpu" });
    if (ruleName(code.threshold) !== ruleName(threshold)) {
      const by = code.threshold.kind === "rate" ? ` over ${code.threshold.intervalSeconds}s` : "";
      const message = `the code compares by ${code.threshold.kind}${by}; give the threshold so`;
      return refusal("threshold-refused", { message });
    }
    const next = periodAt(code.billingPeriod, periodAt(code.billingPeriod, now.atMs).endMs);
    const length = next.endMs - next.startMs;
    const milliOf = (one: Threshold) =>
      one.kind === "rate" ? BigInt(one.cpuMilli) * nsOf(length) : BigInt(one.milliCoreNs);
    const others = shared.filter((one) => one.partitionId !== known.partitionId);
    const sum = others.reduce((total, { partitionId }) => {
      const place = { providerId: code.iss, partitionId };
      const own = thresholdSetAt(db, place, next.startMs, code.threshold);
      const entitled = BigInt(entitledMilli(context, partitionId)) * nsOf(length);
      return total + (own === null ? entitled : milliOf(own.threshold));
    }, milliOf(threshold));
    const most = BigInt(basePoolMilli(context)) * nsOf(length);
    if (sum > most) {
      const message = `the thresholds of the shared partitions would be ${hours(sum)} core-hours a period, and the base pool gives ${hours(most)}; lower this one or another first`;
      return refusal("threshold-refused", { message });
    }
    const partition = { id: known.partitionId, name };
    return store(context, now, { providerId: code.iss, partition, threshold }, next.startMs);
  });
}

function store(
  context: AgentContext,
  now: CapacityNow,
  set: {
    readonly providerId: PartyId;
    readonly partition: { readonly id: PartitionId; readonly name: string };
    readonly threshold: Threshold;
  },
  fromMs: number,
) {
  const from = new Date(fromMs).toISOString();
  const { providerId, partition, threshold } = set;
  writeThreshold(context.db, { providerId, partitionId: partition.id }, from, threshold);
  const detail = { ...set, from };
  writeAct(context.db, hostIdOf(context), now, { kind: "threshold-set", ...detail });
  return { from };
}

function nsOf(ms: number): bigint {
  return BigInt(ms) * 1_000_000n;
}

function hours(milliCoreNs: bigint): string {
  return (Number(milliCoreNs / 1_000_000_000n) / 3_600_000).toFixed(3);
}
