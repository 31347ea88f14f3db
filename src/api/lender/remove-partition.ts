import { transaction } from "../../database/transaction.ts";
import { getPartition, markPartitionRemoved } from "../../host/partition-store.ts";
import { bumpDesiredGeneration, getHostOfLender, lockHost } from "../../host/store.ts";
import { fillStanding, readReservations } from "../../lease/reservation-store.ts";
import type { Handler } from "../handler.ts";
import { refuseBooked, refuseInUse } from "./partition-refusal.ts";

export const removePartition: Handler<"removePartition"> = async (
  { db, clock },
  { caller, params },
) => {
  const now = clock.now();
  const { hostId } = await getHostOfLender(db.kysely, caller.partyId, params.host);
  return transaction(db, async (tx) => {
    const host = await lockHost(tx, hostId);
    const partition = await getPartition(tx, host, params.name, now);
    if (partition.inUse) throw refuseInUse(partition.name, partition.inUse);
    const { partitionId } = partition;
    const ahead = await readReservations(tx, { partitionId, during: { start: now, end: null } });
    const booked = ahead.find((reservation) => reservation.leaseId !== null);
    if (booked?.leaseId) throw refuseBooked(partition.name, booked.leaseId, booked.period.start);
    await fillStanding(tx, partition, null, now);
    await markPartitionRemoved(tx, partitionId, now);
    await bumpDesiredGeneration(tx, host.hostId);
    return { partitionId };
  });
};
