import type { Kysely } from "kysely";
import { transaction } from "../../database/transaction.ts";
import type { DB } from "../../database/types.ts";
import { listOrders } from "../../enablement/capacity/order-store.ts";
import { listDemands } from "../../enablement/capacity/stand-store.ts";
import { listSuccessions } from "../../enablement/signing-key-store.ts";
import { listPartitions, listRemovedPartitionIds } from "../../host/partition-store.ts";
import { getHost, markSeen } from "../../host/store.ts";
import { listConsoleRequests } from "../../lease/console-store.ts";
import { type Lease, listGrantedLeases, listUnwipedLeases } from "../../lease/store.ts";
import { readMissing } from "../../meter/record-store.ts";
import type { Handler } from "../handler.ts";

export const readDesired: Handler<"readDesired"> = async ({ db, clock }, { caller }) => {
  const now = clock.now();
  const { hostId } = caller;
  await markSeen(db.kysely, hostId, now);
  const read = async (tx: typeof db.kysely) => {
    const host = await getHost(tx, hostId);
    const known = await listPartitions(tx, { hostId }, now);
    // A carved one is there for its lease: not before its grant, and not after its wipe.
    const partitions = known.filter(({ carved, inUse }) => !carved || inUse !== null);
    const consoles = await listConsoleRequests(tx, hostId);
    const leases = [
      ...(await listGrantedLeases(tx, hostId)),
      ...(await listUnwipedLeases(tx, hostId)),
    ];
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
      removedPartitionIds: await listRemovedPartitionIds(tx, hostId, now),
      leases: await withMissing(tx, leases),
      consoleRequests: consoles.map(({ consoleRequestId, leaseId }) => ({
        requestId: consoleRequestId,
        leaseId,
      })),
      billNow: (await listDemands(tx, hostId)).map(({ providerPartyId, demandedAt }) => ({
        providerId: providerPartyId,
        demandedAt: demandedAt.toISOString(),
      })),
      capacityOrders: (await listOrders(tx, hostId))
        .filter(({ outcome }) => outcome === null)
        .map(({ orderId, ordered }) => ({ orderId, ordered })),
      // Of the database, not of this server: another one may have rotated the key a moment ago.
      successionJws: [...(await listSuccessions(tx))],
    };
  };
  // One snapshot: generation, partitions and leases belong together.
  return transaction(db, read, "repeatable read");
};

/** Records that did not come are asked for until they do. */
async function withMissing(tx: Kysely<DB>, leases: readonly Lease[]) {
  const desired = [];
  for (const lease of leases) {
    const missing = await readMissing(tx, lease.leaseId, lease.usageSeqFinal);
    desired.push({ ...toDesired(lease), ...(missing.length > 0 ? { missing } : {}) });
  }
  return desired;
}

function toDesired(lease: Lease) {
  const { leaseId, partitionId, grantJws, endJws, powerJws, extensions } = lease;
  const state = lease.state === "booked" ? "preparing" : lease.state;
  const taken = extensions.filter((one) => one.state === "in-force");
  return {
    ...{ leaseId, partitionId, state, powerJws },
    // Only a host that was removed has something left of a lease that has ended.
    endJws: state === "ended" && lease.removalJws === null ? null : endJws,
    // What has ended must not be run by a host that has forgotten it.
    grantJws: state === "ended" ? null : grantJws,
    sequence: Math.max(1, ...taken.map((one) => one.sequence ?? 1)),
    extensionJws: extensions.flatMap((one) =>
      one.state === "pending" && one.grantJws !== null ? [one.grantJws] : [],
    ),
  };
}
