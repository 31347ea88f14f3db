import type { DatabaseSync } from "node:sqlite";
import { addSizes, fitsWithin, SIZE_ZERO, type Size } from "../../unit/size.ts";
import { AgentError } from "../agent-error.ts";
import { formatCoreList } from "../core-list.ts";
import { listLeases } from "../lease/store.ts";
import { listPartitions } from "./store.ts";

/** Nothing runs on standby cores; so no core goes into standby under a guest that has it. */
export function refuseTakenStandby(
  db: DatabaseSync,
  { standbyCores }: { readonly standbyCores: readonly number[] },
): void {
  for (const { leaseId, granted, cores } of listLeases(db)) {
    const both = cores.filter((core) => standbyCores.includes(core));
    // A shared guest is moved to what is left of the pool.
    if (granted?.partition.cpuMode !== "dedicated" || both.length === 0) continue;
    throw new AgentError(
      "standby-in-use",
      `core ${formatCoreList(both)} is that of the guest ${leaseId} in ${granted.partition.name} and cannot be in standby; start the agent as before and end that guest first, or name another core`,
    );
  }
}

/** What was cut on this host itself must be there: a server would know by itself. */
export function refuseOvercut(db: DatabaseSync, base: Size): void {
  const partitions = listPartitions(db);
  const sum = partitions.reduce((total, { size }) => addSizes(total, size), SIZE_ZERO);
  if (fitsWithin(sum, base)) return;
  const names = partitions.map(({ name }) => name).join(", ");
  throw new AgentError(
    "host-has-less",
    `the partitions of this host (${names}) have more than the base would be; start the agent with what it had, then remove a partition or cut it smaller`,
  );
}
