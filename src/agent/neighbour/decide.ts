import { formatBytes } from "../../unit/quantity.ts";
import { AgentError } from "../agent-error.ts";
import { formatCoreList } from "../core-list.ts";

/** What one agent lends of a computer. */
export interface Share {
  readonly dataFolder: string;
  readonly cores: readonly number[];
  /** As it was told, reserve included. */
  readonly memoryBytes: number;
}

/** Another agent of this computer, or one that has stopped and whose guests go on. */
export interface Neighbour extends Share {
  /** Null: it has stopped. */
  readonly pid: number | null;
}

/** Throws `cores-taken` or `memory-taken` when the computer has not as much for this agent too. */
export function refuseOverlap(
  share: Share,
  neighbours: readonly Neighbour[],
  machine: { readonly cores: readonly number[]; readonly memoryBytes: number },
): void {
  for (const neighbour of neighbours) {
    const both = share.cores.filter((core) => neighbour.cores.includes(core));
    if (both.length > 0) throw coresTaken(both, neighbour, neighbours, machine.cores);
  }
  const othersBytes = neighbours.reduce((sum, { memoryBytes }) => sum + memoryBytes, 0);
  const leftBytes = machine.memoryBytes - othersBytes;
  if (neighbours.length === 0 || share.memoryBytes <= leftBytes) return;
  throw new AgentError(
    "memory-taken",
    `${neighbours.map(nameOf).join(" and ")} ${neighbours.length === 1 ? "lends" : "lend"} ${formatBytes(othersBytes)} of this computer's ${formatBytes(machine.memoryBytes)} of memory; lend ${formatBytes(Math.max(leftBytes, 0))} at the most with --memory, or less there`,
  );
}

function coresTaken(
  both: readonly number[],
  neighbour: Neighbour,
  neighbours: readonly Neighbour[],
  cores: readonly number[],
): AgentError {
  const free = cores.filter((core) => !neighbours.some((other) => other.cores.includes(core)));
  const instead = free.length > 0 ? `lend others with --cores ${formatCoreList(free)}, or ` : "";
  return new AgentError(
    "cores-taken",
    `core ${formatCoreList(both)} is lent by ${nameOf(neighbour)}; ${instead}start that agent again with fewer --cores`,
  );
}

function nameOf({ dataFolder, pid }: Neighbour): string {
  const who = pid === null ? "it has stopped, and its guests go on" : `process ${pid}`;
  return `the agent of ${dataFolder} (${who})`;
}
