import type { GuestSpec } from "../../partition/driver.ts";
import { mapSize, SIZE_ZERO } from "../../unit/size.ts";
import { readPartition } from "../allocation/store.ts";
import { lentCores } from "../capacity/service-store.ts";
import type { AgentContext } from "../context.ts";
import { guestImage } from "../image/cache.ts";
import type { LeaseRow } from "./store.ts";

/** What the driver is told of a lease that has been allocated. */
export function guestSpec(context: AgentContext, lease: LeaseRow): GuestSpec {
  const { granted, uid, hostKeyPrivate } = lease;
  if (granted === null || uid === null || hostKeyPrivate === null) {
    throw new Error(`${lease.leaseId} is not allocated`);
  }
  const { partition, image } = granted;
  const { base, standby = SIZE_ZERO } = context.capacity;
  const max = readPartition(context.db, lease.partitionId)?.max ?? partition.size;
  return {
    guestId: lease.leaseId,
    hostname: partition.name,
    size: {
      ...partition.size,
      diskBytes: partition.size.diskBytes - (granted.outbox?.bytes ?? 0),
    },
    ...(granted.outbox ? { outboxBytes: granted.outbox.bytes } : {}),
    // Room for what a code may enable later; what is plugged is the base's alone.
    maxSize: mapSize((resource) =>
      Math.max(
        partition.size[resource],
        Math.min(max[resource], base[resource]) + standby[resource],
      ),
    ),
    cpuMode: partition.cpuMode,
    cores: [...lease.cores, ...lentCores(context.db, lease.leaseId)],
    uid,
    internet: "internet" in granted && granted.internet === true,
    image: guestImage(context, image.manifest),
    access: {
      address: context.config.accessAddress,
      port: lease.port ?? 0,
      user: image.manifest.user,
      authorizedKey: granted.clientKey,
      hostKeyPrivate,
    },
  };
}
