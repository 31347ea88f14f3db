import type { Option } from "commander";
import type { CapacityResource } from "../../enablement/capacity/resource.ts";
import { isWholeQuantity } from "../../enablement/capacity/resource.ts";
import { InputError } from "../../unit/quantity.ts";
import { bytes, cpu } from "../option/quantity.ts";

export interface TypedAmount {
  readonly cpu?: number;
  readonly memory?: number;
}

export interface Amount {
  readonly resource: CapacityResource;
  /** milliCores or bytes. */
  readonly quantity: number;
}

export function amountOptions(): Option[] {
  return [
    cpu("--cpu <cores>", "whole cores, like 2"),
    bytes("--memory <size>", "memory, in blocks of 128MiB"),
  ];
}

/** Null when neither was typed. */
export function amountOf({ cpu: cpuMilli, memory }: TypedAmount): Amount | null {
  if (cpuMilli !== undefined && memory !== undefined) {
    throw new InputError("say --cpu or --memory, one at a time");
  }
  if (cpuMilli === undefined && memory === undefined) return null;
  const resource = cpuMilli === undefined ? "memory" : "cpu";
  const quantity = cpuMilli ?? memory ?? 0;
  if (isWholeQuantity(resource, quantity)) return { resource, quantity };
  throw new InputError(
    resource === "cpu"
      ? "--cpu: standby cores are whole ones; write it like 1 or 2"
      : "--memory: standby memory comes in blocks of 128MiB; write it like 256MiB",
  );
}
