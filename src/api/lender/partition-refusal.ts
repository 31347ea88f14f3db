import type { Kysely } from "kysely";
import { violatedConstraint } from "../../database/constraint.ts";
import type { DB } from "../../database/types.ts";
import { listPartitions, type Partition } from "../../host/partition-store.ts";
import type { Host } from "../../host/store.ts";
import type { Period } from "../../lease/period.ts";
import { readReservations, readReservedNow } from "../../lease/reservation-store.ts";
import { type Refusal, refusal } from "../../refusal/refusal.ts";
import type { HostId, LeaseId } from "../../unit/id.ts";
import { formatBytes, formatCpu } from "../../unit/quantity.ts";
import { SIZE_ZERO, type Size, subtractSizes } from "../../unit/size.ts";

export function refuseInUse(partition: string, inUse: NonNullable<Partition["inUse"]>): Refusal {
  return refusal("partition-in-use", {
    partition,
    leaseId: inUse.leaseId,
    until: inUse.until.toISOString(),
  });
}

/** The refusal that names the next booking of a partition. */
async function refuseByBooking(
  db: Kysely<DB>,
  hostId: HostId,
  name: string,
  during: Period,
): Promise<Refusal | undefined> {
  const [partition] = await listPartitions(db, { hostId, name }, during.start);
  if (!partition) return undefined;
  const { partitionId } = partition;
  const ahead = await readReservations(db, { partitionId, during });
  const booked = ahead
    .filter((reservation) => reservation.leaseId !== null)
    .toSorted((a, b) => a.period.start.getTime() - b.period.start.getTime())[0];
  return booked?.leaseId ? refuseBooked(name, booked.leaseId, booked.period.start) : undefined;
}

export function refuseBooked(partition: string, leaseId: LeaseId, start: Date): Refusal {
  return refusal("partition-booked", { partition, leaseId, start: start.toISOString() });
}

export function refuseBeyond(host: Host, free: Size): Refusal {
  const { cpuMilli, memoryBytes, diskBytes } = free;
  return refusal("capacity-exceeded", {
    host: host.name,
    free: `${formatCpu(cpuMilli)} cores, ${formatBytes(memoryBytes)} of memory and ${formatBytes(diskBytes)} of disk`,
  });
}

/** What the database's guards refused, in the words of the refusal table; other errors as they are. */
export async function refuseByGuard(
  error: unknown,
  at: { db: Kysely<DB>; host: Host; partition: string; now: Date },
): Promise<unknown> {
  const { db, host, now } = at;
  switch (violatedConstraint(error)) {
    case "partition_in_use": {
      const which = { hostId: host.hostId, name: at.partition };
      const [partition] = await listPartitions(db, which, now);
      return partition?.inUse ? refuseInUse(partition.name, partition.inUse) : error;
    }
    case "partition_booked": {
      const during = { start: now, end: null };
      const ahead = await refuseByBooking(db, host.hostId, at.partition, during);
      return ahead ?? error;
    }
    case "host_minimums":
      return refusal("minimums-exceed-base", { host: host.name });
    case "host_capacity": {
      const reserved = await readReservedNow(db, [host.hostId], now);
      const free = subtractSizes(host.base, reserved.get(host.hostId) ?? SIZE_ZERO);
      return refuseBeyond(host, free);
    }
    default:
      return error;
  }
}
