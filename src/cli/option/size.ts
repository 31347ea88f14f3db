import type { Option } from "commander";
import { InputError } from "../../unit/quantity.ts";
import type { Size } from "../../unit/size.ts";
import { bytes, cpu } from "./quantity.ts";

type Prefix = "" | "min-" | "max-";

/** `--cpu --memory --disk`, or with a prefix `--min-cpu …`. */
export function sizeOptions(what: string, prefix: Prefix = ""): Option[] {
  return [
    cpu(`--${prefix}cpu <cores>`, `${what}: cores, like 2 or 0.5`),
    bytes(`--${prefix}memory <size>`, `${what}: memory, like 512MiB`),
    bytes(`--${prefix}disk <size>`, `${what}: disk, like 10GiB`),
  ];
}

/** What was typed of a size. */
export interface TypedSize {
  readonly cpu?: number | undefined;
  readonly memory?: number | undefined;
  readonly disk?: number | undefined;
}

/** A whole size: what was typed over what there was before; what neither has is asked for. */
export function completeSize(
  typed: TypedSize,
  before: Size | undefined,
  prefix: Prefix = "",
): Size {
  const missing = (["cpu", "memory", "disk"] as const).filter((name) => typed[name] === undefined);
  if (before === undefined && missing.length > 0) {
    throw new InputError(`${missing.map((name) => `--${prefix}${name}`).join(", ")} is needed too`);
  }
  return {
    cpuMilli: typed.cpu ?? before?.cpuMilli ?? 0,
    memoryBytes: typed.memory ?? before?.memoryBytes ?? 0,
    diskBytes: typed.disk ?? before?.diskBytes ?? 0,
  };
}

/** Whether anything was typed of it. */
export function isTyped({ cpu, memory, disk }: TypedSize): boolean {
  return [cpu, memory, disk].some((value) => value !== undefined);
}
