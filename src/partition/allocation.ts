import type { CpuMode } from "../unit/schema.ts";
import { addSizes, fitsWithin, RESOURCES, type Size } from "../unit/size.ts";

/** What another partition of the host has at present. */
export interface HeldAllocation {
  readonly partitionId: string;
  readonly size: Size;
  readonly cpuMode: CpuMode;
  /** Of a guest with dedicated cores; a partition at rest has none, a shared one has the pool. */
  readonly cores: readonly number[];
  /** Its lease is ending: what it holds will be free. */
  readonly isEnding: boolean;
}

export interface HostResources {
  /** Numbers of the cores that are this agent's to give. */
  readonly cores: readonly number[];
  readonly base: Size;
  /** Control groups work here: a guest can be held to a part of the pool. */
  readonly sharedCpu: boolean;
}

export type PlacementCode = "fractions-unsupported" | "capacity-exceeded";

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
export function checkShape(size: Size, cpuMode: CpuMode, sharedCpu: boolean): Placement {
  const whole = size.cpuMilli > 0 && size.cpuMilli % 1000 === 0;
  if (cpuMode === "dedicated" && !whole) {
    return refuse(
      "fractions-unsupported",
      `${size.cpuMilli} thousandths of a core are not whole cores, and only those can be dedicated; ask for shared cpu`,
    );
  }
  if (cpuMode === "shared" && !sharedCpu) {
    return refuse(
      "fractions-unsupported",
      "this host has no control groups that would hold a guest to a part of its cores; ask for dedicated cores",
    );
  }
  if (size.cpuMilli < SHARED_MILLI_MIN) {
    const message = `less than ${SHARED_MILLI_MIN} thousandths of a core cannot be held to`;
    return refuse("fractions-unsupported", message);
  }
  return { ok: true, cores: [] };
}

/** The kernel takes no smaller cap. */
export const SHARED_MILLI_MIN = 10;

/**
 * Chooses cores for a partition of `size`. A dedicated one gets the lowest numbers that no other
 * dedicated guest has. A shared one gets the pool, which is all cores that no dedicated guest has:
 * the entitlements of the shared partitions together never exceed it, so that each has by right
 * what it was promised. Cpu, memory and disk are also sums, which with all other partitions must
 * stay within the base (invariant 2).
 */
export function place(
  wanted: { readonly size: Size; readonly cpuMode: CpuMode },
  host: HostResources,
  held: readonly HeldAllocation[],
): Placement {
  const shape = checkShape(wanted.size, wanted.cpuMode, host.sharedCpu);
  if (!shape.ok) return shape;
  const mayPass = held.some((other) => other.isEnding);
  const sum = held.reduce((total, other) => addSizes(total, other.size), wanted.size);
  if (!fitsWithin(sum, host.base)) {
    const short = RESOURCES.filter((resource) => sum[resource] > host.base[resource]);
    return refuse("capacity-exceeded", `the host's base is too small in ${short}`, mayPass);
  }
  const pool = poolOf(host.cores, held);
  const count = wanted.cpuMode === "dedicated" ? wanted.size.cpuMilli / 1000 : 0;
  if (pool.length < count) {
    const message = `${count} whole cores are wanted and ${pool.length} are free`;
    return refuse("capacity-exceeded", message, mayPass);
  }
  const entitledMilli =
    sumOfShared(held) + (wanted.cpuMode === "shared" ? wanted.size.cpuMilli : 0);
  const restMilli = (pool.length - count) * 1000;
  if (entitledMilli > restMilli) {
    const message = `shared partitions have ${entitledMilli} thousandths of a core by right, and the pool would have ${restMilli}`;
    return refuse("capacity-exceeded", message, mayPass);
  }
  return { ok: true, cores: wanted.cpuMode === "dedicated" ? pool.slice(0, count) : pool };
}

/** The cores that no dedicated guest has, ascending. */
export function poolOf(
  cores: readonly number[],
  held: readonly Pick<HeldAllocation, "cpuMode" | "cores">[],
): readonly number[] {
  const dedicated = held.filter(({ cpuMode }) => cpuMode === "dedicated");
  const taken = new Set(dedicated.flatMap((other) => other.cores));
  return cores.filter((core) => !taken.has(core)).sort((a, b) => a - b);
}

function sumOfShared(held: readonly HeldAllocation[]): number {
  const shared = held.filter(({ cpuMode }) => cpuMode === "shared");
  return shared.reduce((sum, { size }) => sum + size.cpuMilli, 0);
}

function refuse(code: PlacementCode, message: string, mayPass = false): Placement {
  return { ok: false, code, message, mayPass };
}
