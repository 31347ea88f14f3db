import type { CpuMode } from "../unit/schema.ts";
import { addSizes, fitsWithin, RESOURCES, type Size } from "../unit/size.ts";

/** What another partition of the host has at present. */
export interface HeldAllocation {
  readonly partitionId: string;
  readonly size: Size;
  /** Of a guest with dedicated cores; a partition at rest has none. */
  readonly cores: readonly number[];
  /** Its lease is ending: what it holds will be free. */
  readonly isEnding: boolean;
}

export interface HostResources {
  /** Numbers of the cores that are this agent's to give. */
  readonly cores: readonly number[];
  readonly base: Size;
}

export type PlacementCode =
  | "shared-cpu-unsupported"
  | "fractions-unsupported"
  | "capacity-exceeded";

export type Placement =
  | { readonly ok: true; readonly cores: readonly number[] }
  | {
      readonly ok: false;
      readonly code: PlacementCode;
      readonly message: string;
      /** True: something is being freed, ask again. */
      readonly mayPass: boolean;
    };

/** May this host be cut so at all, whatever else it runs? */
export function checkShape(size: Size, cpuMode: CpuMode): Placement {
  if (cpuMode !== "dedicated") {
    return refuse("shared-cpu-unsupported", "this agent gives whole dedicated cores only");
  }
  if (size.cpuMilli === 0 || size.cpuMilli % 1000 !== 0) {
    return refuse(
      "fractions-unsupported",
      `${size.cpuMilli} thousandths of a core are not whole cores, and this agent has no control groups to divide one`,
    );
  }
  return { ok: true, cores: [] };
}

/**
 * Chooses cores for a partition of `size`: the lowest numbers that no other guest has. Memory and
 * disk are sums, which with all other partitions must stay within the base (invariant 2).
 */
export function place(
  wanted: { readonly size: Size; readonly cpuMode: CpuMode },
  host: HostResources,
  held: readonly HeldAllocation[],
): Placement {
  const shape = checkShape(wanted.size, wanted.cpuMode);
  if (!shape.ok) return shape;
  const mayPass = held.some((other) => other.isEnding);
  const sum = held.reduce((total, other) => addSizes(total, other.size), wanted.size);
  if (!fitsWithin(sum, host.base)) {
    const short = RESOURCES.filter((resource) => sum[resource] > host.base[resource]);
    return refuse("capacity-exceeded", `the host's base is too small in ${short}`, mayPass);
  }
  const taken = new Set(held.flatMap((other) => other.cores));
  const free = host.cores.filter((core) => !taken.has(core)).sort((a, b) => a - b);
  const count = wanted.size.cpuMilli / 1000;
  if (free.length < count) {
    const message = `${count} whole cores are wanted and ${free.length} are free`;
    return refuse("capacity-exceeded", message, mayPass);
  }
  return { ok: true, cores: free.slice(0, count) };
}

function refuse(code: PlacementCode, message: string, mayPass = false): Placement {
  return { ok: false, code, message, mayPass };
}
