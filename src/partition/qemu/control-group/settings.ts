import type { Controller, Place } from "./place.ts";

/** What a guest's group holds its process to. */
export interface GroupLimits {
  /** What it may use by right when others want the same cores. */
  readonly cpuMilli: number;
  /** And the most it may use when nobody else does; null: as much as its cores give. */
  readonly cpuCapMilli: number | null;
  /** Of the guest; the process is given more, see `processMemoryBytes`. */
  readonly memoryBytes: number;
}

export interface Setting {
  readonly file: string;
  readonly text: string;
}

/** The kernel's default: how often a cap is accounted. */
const PERIOD_US = 100_000;

/** What is written into a group's files; each reads back as it was written. */
export function settingsOf(
  { version, controllers }: Pick<Place, "version" | "controllers">,
  limits: GroupLimits,
): Setting[] {
  return controllers.flatMap((controller) =>
    version === 1 ? settingsV1(controller, limits) : settingsV2(controller, limits),
  );
}

function settingsV1(controller: Controller, limits: GroupLimits): Setting[] {
  switch (controller) {
    case "cpu":
      return [
        { file: "cpu.shares", text: `${clamp((limits.cpuMilli * 1024) / 1000, 2, 262_144)}` },
        { file: "cpu.cfs_period_us", text: `${PERIOD_US}` },
        { file: "cpu.cfs_quota_us", text: `${quotaUs(limits) ?? -1}` },
      ];
    case "memory":
      return [{ file: "memory.limit_in_bytes", text: `${processMemoryBytes(limits)}` }];
    case "cpuacct":
      return [];
  }
}

function settingsV2(controller: Controller, limits: GroupLimits): Setting[] {
  switch (controller) {
    case "cpu":
      return [
        // 100 is what a group of one core has by default.
        { file: "cpu.weight", text: `${clamp(limits.cpuMilli / 10, 1, 10_000)}` },
        { file: "cpu.max", text: `${quotaUs(limits) ?? "max"} ${PERIOD_US}` },
      ];
    case "memory":
      return [{ file: "memory.max", text: `${processMemoryBytes(limits)}` }];
    case "cpuacct":
      return [];
  }
}

/** Translated code (128 MiB at most), QEMU itself, its files. A guest of 256 MiB took 286 in all. */
const OVERHEAD_BYTES = 320 * 1024 * 1024;
const PAGE_BYTES = 4096;

/**
 * QEMU already maps no more for its guest than the guest's memory. This bounds what it takes
 * beside that: tables of pages are a share of the guest's memory, the rest is constant.
 */
export function processMemoryBytes({ memoryBytes }: Pick<GroupLimits, "memoryBytes">): number {
  const bytes = memoryBytes + Math.ceil(memoryBytes / 64) + OVERHEAD_BYTES;
  return Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES;
}

function quotaUs({ cpuCapMilli }: GroupLimits): number | null {
  return cpuCapMilli === null ? null : Math.floor((cpuCapMilli * PERIOD_US) / 1000);
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(most, Math.max(least, Math.round(value)));
}

/** The file that counts a group's time on cpus, and how to read nanoseconds from its text. */
export const COUNTERS = {
  1: { file: "cpuacct.usage", cpuNs: (text: string) => BigInt(text.trim()) },
  2: {
    file: "cpu.stat",
    cpuNs: (text: string) => BigInt(/^usage_usec (\d+)$/m.exec(text)?.[1] ?? "0") * 1000n,
  },
} as const;
