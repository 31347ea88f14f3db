import type { Kysely } from "kysely";
import type { DB } from "../database/types.ts";
import type { HostId } from "../unit/id.ts";
import type { Maintenance } from "./store.ts";

/** What a lender says of a host as a whole. Under the host's lock; triggers guard each of them. */

/** Null: it takes new leases again. */
export async function updateDrained(
  tx: Kysely<DB>,
  hostId: HostId,
  drainedAt: Date | null,
): Promise<void> {
  await tx.updateTable("host").set({ drainedAt }).where("hostId", "=", hostId).execute();
}

/** For good. The database refuses it while a lease is open or a partition is left. */
export async function updateRemoved(tx: Kysely<DB>, hostId: HostId, now: Date): Promise<void> {
  await tx.updateTable("host").set({ removedAt: now }).where("hostId", "=", hostId).execute();
}

/** The database refuses (`host_maintenance`) what a booked lease overlaps. */
export async function updateMaintenance(
  tx: Kysely<DB>,
  hostId: HostId,
  maintenance: Maintenance | null,
): Promise<void> {
  await tx
    .updateTable("host")
    .set({
      maintenanceFrom: maintenance?.start ?? null,
      maintenanceUntil: maintenance?.end ?? null,
    })
    .where("hostId", "=", hostId)
    .execute();
}
