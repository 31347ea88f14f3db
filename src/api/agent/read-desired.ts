import { transaction } from "../../database/transaction.ts";
import { listPartitions, listRemovedPartitionIds } from "../../host/partition-store.ts";
import { getHost, markSeen } from "../../host/store.ts";
import { listConsoleRequests } from "../../lease/console-store.ts";
import { listGrantedLeases } from "../../lease/store.ts";
import type { Handler } from "../handler.ts";

export const readDesired: Handler<"readDesired"> = async ({ db, clock }, { caller }) => {
  const now = clock.now();
  const { hostId } = caller;
  await markSeen(db.kysely, hostId, now);
  const read = async (tx: typeof db.kysely) => {
    const host = await getHost(tx, hostId);
    const partitions = await listPartitions(tx, { hostId }, now);
    const consoles = await listConsoleRequests(tx, hostId);
    const leases = await listGrantedLeases(tx, hostId);
    return {
      hostId,
      generation: Number(host.desiredGeneration),
      partitions: partitions.map(({ generation, ...partition }) => ({
        partitionId: partition.partitionId,
        name: partition.name,
        lendable: partition.lendable,
        cpuMode: partition.cpuMode,
        size: partition.size,
        min: partition.min,
        max: partition.max,
        generation: Number(generation),
      })),
      removedPartitionIds: await listRemovedPartitionIds(tx, hostId),
      leases: leases.map(({ leaseId, partitionId, grantJws, endJws, powerJws }) => ({
        leaseId,
        partitionId,
        grantJws,
        endJws,
        powerJws,
      })),
      consoleRequests: consoles.map(({ consoleRequestId, leaseId }) => ({
        requestId: consoleRequestId,
        leaseId,
      })),
    };
  };
  // One snapshot: generation, partitions and leases belong together.
  return transaction(db, read, "repeatable read");
};
