import type { CpuMode } from "../unit/schema.ts";
import {
  addSizes,
  mapSize,
  SIZE_ZERO,
  type Size,
  sizesEqual,
  subtractSizes,
} from "../unit/size.ts";
import type { Period } from "./period.ts";

export interface Stretch {
  readonly size: Size;
  readonly period: Period;
}

/**
 * The standing reservation of a partition over a period in which others may have been given part
 * of it: a lease that had cut the partition smaller has ended early, and what it left over was lent.
 * Until those others end the partition has what they leave; nothing where that is no partition.
 */
export function yieldingTo(
  others: readonly Stretch[],
  standing: { readonly size: Size; readonly cpuMode: CpuMode },
  base: Size,
  gap: Period,
): Stretch[] {
  const edges = others
    .flatMap(({ period }) => [period.start, period.end])
    .filter((at) => at !== null)
    .filter((at) => at > gap.start && (gap.end === null || at < gap.end))
    .map((at) => at.getTime());
  const starts = [...new Set([gap.start.getTime(), ...edges])].toSorted((a, b) => a - b);
  const stretches: Stretch[] = [];
  for (const [index, at] of starts.entries()) {
    const next = starts[index + 1];
    const period = { start: new Date(at), end: next === undefined ? gap.end : new Date(next) };
    const size = leftAt(at, others, standing, base);
    const last = stretches.at(-1);
    const joins = last?.period.end?.getTime() === at && sizesEqual(last.size, size);
    if (joins) stretches.splice(-1, 1, { size, period: { ...period, start: last.period.start } });
    else stretches.push({ size, period });
  }
  return stretches.filter(({ size }) => size.cpuMilli > 0 && size.memoryBytes > 0);
}

function leftAt(
  at: number,
  others: readonly Stretch[],
  { size, cpuMode }: { readonly size: Size; readonly cpuMode: CpuMode },
  base: Size,
): Size {
  const held = others
    .filter(({ period }) => period.start.getTime() <= at)
    .filter(({ period }) => period.end === null || period.end.getTime() > at)
    .reduce((sum, other) => addSizes(sum, other.size), SIZE_ZERO);
  const left = subtractSizes(base, held);
  const most = mapSize((resource) => Math.max(0, Math.min(size[resource], left[resource])));
  const cpuMilli = cpuMode === "dedicated" ? most.cpuMilli - (most.cpuMilli % 1000) : most.cpuMilli;
  return { ...most, cpuMilli };
}
