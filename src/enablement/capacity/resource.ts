import { z } from "zod";
import { STANDBY_STEP } from "../../host/lent-code.ts";
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
