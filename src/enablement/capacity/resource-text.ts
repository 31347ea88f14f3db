import { formatBytes, formatCpu } from "../../unit/quantity.ts";
import type { CapacityResource } from "./resource.ts";

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
