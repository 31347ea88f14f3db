/** So much of a host: what a partition has, what a requirement asks for, what a reservation holds. */
export interface Size {
  /** Thousandths of a core. */
  readonly cpuMilli: number;
  readonly memoryBytes: number;
  readonly diskBytes: number;
}

export const SIZE_ZERO: Size = { cpuMilli: 0, memoryBytes: 0, diskBytes: 0 };

export const RESOURCES = ["cpuMilli", "memoryBytes", "diskBytes"] as const;
export type Resource = (typeof RESOURCES)[number];

export function addSizes(a: Size, b: Size): Size {
  return mapSize((resource) => a[resource] + b[resource]);
}

export function subtractSizes(a: Size, b: Size): Size {
  return mapSize((resource) => a[resource] - b[resource]);
}

/** True when every resource of `inner` is at most that of `outer`. */
export function fitsWithin(inner: Size, outer: Size): boolean {
  return RESOURCES.every((resource) => inner[resource] <= outer[resource]);
}

export function sizesEqual(a: Size, b: Size): boolean {
  return RESOURCES.every((resource) => a[resource] === b[resource]);
}

/** A size whose every resource is what `of` says. */
export function mapSize(of: (resource: Resource) => number): Size {
  return {
    cpuMilli: of("cpuMilli"),
    memoryBytes: of("memoryBytes"),
    diskBytes: of("diskBytes"),
  };
}
