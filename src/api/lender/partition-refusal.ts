import type { Kysely } from "kysely";
import { violatedConstraint } from "../../database/constraint.ts";
import type { DB } from "../../database/types.ts";
import { listPartitions, type Partition } from "../../host/partition-store.ts";
import type { Host } from "../../host/store.ts";
import { readReservedNow } from "../../lease/reservation-store.ts";
import { type Refusal, refusal } from "../../refusal/refusal.ts";
import { formatBytes, formatCpu } from "../../unit/quantity.ts";
import { SIZE_ZERO, subtractSizes } from "../../unit/size.ts";

export function refuseInUse(partition: string, inUse: NonNullable<Partition["inUse"]>): Refusal {
  return refusal("partition-in-use", {
    partition,
    leaseId: inUse.leaseId,
    until: inUse.until.toISOString(),
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
    case "host_minimums":
      return refusal("minimums-exceed-base", { host: host.name });
    case "host_capacity": {
      const reserved = await readReservedNow(db, [host.hostId], now);
      const free = subtractSizes(host.base, reserved.get(host.hostId) ?? SIZE_ZERO);
      return refusal("capacity-exceeded", {
        host: host.name,
        free: `${formatCpu(free.cpuMilli)} cores, ${formatBytes(free.memoryBytes)} of memory and ${formatBytes(free.diskBytes)} of disk`,
      });
    }
    default:
      return error;
  }
}
