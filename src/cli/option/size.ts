import type { Option } from "commander";
import { InputError } from "../../unit/quantity.ts";
import type { Size } from "../../unit/size.ts";
import { bytes, cpu } from "./quantity.ts";

/** `--cpu --memory --disk`, or with a prefix `--min-cpu …`. */
export function sizeOptions(
  what: string,
  prefix: "" | "min-" | "max-" | "reserve-" = "",
): Option[] {
  return [
    cpu(`--${prefix}cpu <cores>`, `${what}: cores, like 2 or 0.5`),
    bytes(`--${prefix}memory <size>`, `${what}: memory, like 512MiB`),
    bytes(`--${prefix}disk <size>`, `${what}: disk, like 10GiB`),
  ];
}

/** What was typed of a size. */
export interface TypedSize {
  readonly cpu?: number;
  readonly memory?: number;
  readonly disk?: number;
}

/** A whole size: what was typed over what there was before; what neither has is asked for. */
export function completeSize(typed: TypedSize, before: Size | undefined): Size {
  const missing = (["cpu", "memory", "disk"] as const).filter((name) => typed[name] === undefined);
  if (before === undefined && missing.length > 0) {
    throw new InputError(`${missing.map((name) => `--${name}`).join(", ")} is needed`);
  }
  return {
    cpuMilli: typed.cpu ?? before?.cpuMilli ?? 0,
    memoryBytes: typed.memory ?? before?.memoryBytes ?? 0,
    diskBytes: typed.disk ?? before?.diskBytes ?? 0,
  };
}

/** The same for `--min-…` or `--max-…`; undefined when none was typed, so that defaults hold. */
export function limitSize(typed: TypedSize, before: Size): Size | undefined {
  const none = [typed.cpu, typed.memory, typed.disk].every((value) => value === undefined);
  return none ? undefined : completeSize(typed, before);
}
