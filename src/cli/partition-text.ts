import type { Response } from "../api/contract/contract.ts";
import type { Context } from "./context.ts";
import { facts, table } from "./output/table.ts";
import { instant, sizeText } from "./output/words.ts";

export type PartitionView = Response<"setPartition">;

export function partitionTable(context: Context, partitions: readonly PartitionView[]): string {
  const rows = partitions.map((partition) => [
    partition.host.name,
    partition.name,
    sizeText(partition.size),
    partition.cpuMode,
    partition.lendable ? "lendable" : "not lendable",
    partition.inUse?.leaseId ?? "-",
  ]);
  return table(context, ["HOST", "PARTITION", "SIZE", "CPU", "LENDING", "IN USE BY"], rows);
}

export function partitionText(partition: PartitionView): string {
  const { inUse } = partition;
  return facts([
    ["partition", `${partition.host.name}/${partition.name} (${partition.partitionId})`],
    ["size", `${sizeText(partition.size)}, ${partition.cpuMode} cpu`],
    ["standing size", sizeText(partition.standingSize)],
    ["limits", `from ${sizeText(partition.min)} to ${sizeText(partition.max)}`],
    ["generation", String(partition.generation)],
    ["lending", partition.lendable ? "lendable" : "not lendable"],
    ["offer", partition.offerId ?? "none"],
    ["in use", inUse ? `by ${inUse.leaseId} until ${instant(inUse.until)}` : "no"],
  ]);
}
