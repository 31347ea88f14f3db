import { z } from "zod";
import { STANDBY_STEP } from "../../host/lent-code.ts";
import { formatBytes, formatCpu } from "../../unit/quantity.ts";
import type { Size } from "../../unit/size.ts";

/** What a host can have installed and not enabled. */
export const CAPACITY_RESOURCES = ["cpu", "memory"] as const;
export const capacityResourceSchema = z.enum(CAPACITY_RESOURCES);
export type CapacityResource = z.infer<typeof capacityResourceSchema>;

/** Memory is plugged in whole blocks of the guest's kernel. */
export const MEMORY_STEP_BYTES = STANDBY_STEP.memory;

/** A quantity in milliCores or bytes, as the size of a partition has it. */
export function sizeOf(resource: CapacityResource, quantity: number): Size {
  return {
    cpuMilli: resource === "cpu" ? quantity : 0,
    memoryBytes: resource === "memory" ? quantity : 0,
    diskBytes: 0,
  };
}

/** The one of a size that has a resource: milliCores or bytes. */
export function quantityIn(size: Size, resource: CapacityResource): number {
  return resource === "cpu" ? size.cpuMilli : size.memoryBytes;
}

/** Whole cores, and whole blocks of memory; nothing less can be put into service. */
export function isWholeQuantity(resource: CapacityResource, quantity: number): boolean {
  return quantity > 0 && quantity % (resource === "cpu" ? 1000 : MEMORY_STEP_BYTES) === 0;
}

/** `--cpu 2 --for 30d` is 60 core-days: milliCore- or byte-nanoseconds. */
export function resourceTimeOf(wanted: {
  readonly quantity: number;
  readonly forSeconds: number;
}): bigint {
  return BigInt(wanted.quantity) * BigInt(wanted.forSeconds) * 1_000_000_000n;
}

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
