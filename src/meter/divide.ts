import type { Reading } from "./reading.ts";
import type { Usage } from "./usage.ts";

/** A part of what happened between two readings, which no edge cuts. */
export interface Part extends Usage {
  /** Where it ends: its last instant; of the last part the later reading itself. */
  readonly to: Reading;
  /** It ends at an edge. */
  readonly endsAtEdge: boolean;
}

/**
 * Divides what happened between two readings at instants of the wall clock (the edges of billing
 * periods, and of codes' validity) evenly by time. The lengths add up exactly; cpu time is rounded
 * down in every part. A reading that comes more than `lateAfterMs` after an edge marks the parts on
 * both sides of it as gaps. Between two boots the edge is on the later boot's clock.
 */
export function divide(
  last: Reading,
  next: Reading,
  usage: Usage,
  { edgesMs, lateAfterMs }: { readonly edgesMs: readonly number[]; readonly lateAfterMs: number },
): readonly Part[] {
  const [fromMs, toMs] = [Date.parse(last.at), Date.parse(next.at)];
  const edges = edgesMs.filter((edge) => fromMs < edge && edge <= toMs);
  const isLate = edges.some((edge) => toMs - edge > lateAfterMs);
  const parts: Part[] = [];
  let doneNs = 0n;
  const add = (to: Reading, elapsedNs: bigint, endsAtEdge: boolean) => {
    const isAll = elapsedNs === usage.elapsedNs;
    const cpuNs = isAll ? usage.cpuNs : share(usage.cpuNs, elapsedNs, usage.elapsedNs);
    parts.push({
      ...{ to, elapsedNs, endsAtEdge, cpuNs },
      deliveredNs: usage.deliveredNs === 0n ? 0n : elapsedNs,
      gap: usage.gap || isLate,
    });
    doneNs += elapsedNs;
  };
  for (const edge of edges) {
    if (edge === toMs) break;
    const untilNs = share(usage.elapsedNs, BigInt(edge - fromMs), BigInt(toMs - fromMs));
    const to = instantAt(last, next, edge, untilNs);
    add(to, inOneBoot(parts.at(-1), to) ?? untilNs - doneNs, true);
  }
  const rest = inOneBoot(parts.at(-1), next) ?? usage.elapsedNs - doneNs;
  add(next, rest, edges.at(-1) === toMs);
  return parts;
}

/** Of a part that begins in the boot in which it ends, that boot's clock says how long it was. */
function inOneBoot(before: Part | undefined, to: Reading): bigint | null {
  return before?.to.bootId === to.bootId ? to.monotonicNs - before.to.monotonicNs : null;
}

function instantAt(last: Reading, next: Reading, edgeMs: number, sinceNs: bigint): Reading {
  const at = new Date(edgeMs).toISOString();
  if (last.bootId === next.bootId) return { ...next, at, monotonicNs: last.monotonicNs + sinceNs };
  const beforeNs = BigInt(Date.parse(next.at) - edgeMs) * 1_000_000n;
  const monotonicNs = next.monotonicNs > beforeNs ? next.monotonicNs - beforeNs : 0n;
  return { ...next, at, monotonicNs };
}

/** Rounded down. */
function share(quantity: bigint, part: bigint, whole: bigint): bigint {
  return whole === 0n ? 0n : (quantity * part) / whole;
}
