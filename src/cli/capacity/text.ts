import type { BillingPeriod } from "../../enablement/capacity/billing-period.ts";
import { quantityText, useText } from "../../enablement/capacity/resource.ts";
import type { Threshold, ThresholdRule } from "../../enablement/capacity/terms.ts";
import { formatDurationSeconds } from "../../unit/quantity.ts";

export function periodText(period: BillingPeriod): string {
  if (period.kind === "month") return `month of ${period.timeZone}`;
  return `${formatDurationSeconds(period.seconds)} each`;
}

export function ruleText(rule: ThresholdRule): string {
  if (rule.kind === "allowance") return "so much in all of a period";
  return `cores on average over each ${formatDurationSeconds(rule.intervalSeconds)}`;
}

export function thresholdText(threshold: Threshold | null): string {
  if (threshold === null) return "-";
  if (threshold.kind === "allowance") return useText("cpu", BigInt(threshold.milliCoreNs));
  const { cpuMilli, intervalSeconds } = threshold;
  return `${quantityText("cpu", cpuMilli)} over ${formatDurationSeconds(intervalSeconds)}`;
}
