import type { BillingPeriod } from "../../enablement/capacity/billing-period.ts";
import type { CapacityResource } from "../../enablement/capacity/resource.ts";
import type { Threshold, ThresholdRule } from "../../enablement/capacity/terms.ts";
import { formatBytes, formatCpu, formatDurationSeconds } from "../../unit/quantity.ts";

const NS_PER_SECOND = 1_000_000_000n;
const GIB = 1n << 30n;

/** `2 cores`, `512MiB`. */
export function quantityText(resource: CapacityResource, quantity: number): string {
  if (resource === "memory") return formatBytes(quantity);
  return `${formatCpu(quantity)} ${quantity === 1000 ? "core" : "cores"}`;
}

/** How many of the resource's units of use are one core- or GiB-second. */
export function perSecond(resource: CapacityResource): bigint {
  return (resource === "cpu" ? 1000n : GIB) * NS_PER_SECOND;
}

const STEPS = [
  { name: "days", seconds: 86_400n, from: 2n * 86_400n },
  { name: "hours", seconds: 3600n, from: 2n * 3600n },
  { name: "minutes", seconds: 60n, from: 120n },
  { name: "seconds", seconds: 1n, from: 0n },
] as const;

/** `60 core-days`, `12.25 core-minutes`: to hundredths, cut off. Billed exactly. */
export function useText(resource: CapacityResource, amount: bigint): string {
  const unit = resource === "cpu" ? "core" : "GiB";
  const per = perSecond(resource);
  const size = amount < 0n ? -amount : amount;
  const step = STEPS.find(({ from }) => size >= from * per) ?? STEPS[3];
  const hundredths = (size * 100n) / (per * step.seconds);
  const fraction = (hundredths % 100n).toString().padStart(2, "0").replace(/0+$/, "");
  return `${amount < 0n ? "-" : ""}${hundredths / 100n}${fraction && `.${fraction}`} ${unit}-${step.name}`;
}

/** `4d3h`, `2h5m`, `40s`: the two largest units are enough for a forecast. */
export function lastsText(ns: bigint): string {
  const seconds = Number(ns / NS_PER_SECOND);
  const coarse = seconds >= 86_400 ? 3600 : seconds >= 3600 ? 60 : 1;
  return formatDurationSeconds(Math.floor(seconds / coarse) * coarse);
}

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
