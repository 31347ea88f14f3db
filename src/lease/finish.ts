import type { Kysely } from "kysely";
import type { DB } from "../database/types.ts";
import { bumpPartitionGeneration, listPartitions } from "../host/partition-store.ts";
import { bumpDesiredGeneration, lockHost } from "../host/store.ts";
import { insertLeaseEvent } from "./event-store.ts";
import { endReservation, fillStanding } from "./reservation-store.ts";
import type { LeaseOutcome } from "./state.ts";
import { type Lease, type LeaseChange, shortenPeriod, updateLease } from "./store.ts";

export interface Finish {
  readonly outcome: LeaseOutcome;
  readonly reason: string;
  readonly change?: LeaseChange;
  readonly detail?: object;
  readonly reportId?: string;
}

/**
 * Ends a lease for good, under its lock and the host's: what was not used is released, and the partition goes back
 * to its standing size. The freeze is lifted first, because nothing else may lift it.
 */
export async function finishLease(
  tx: Kysely<DB>,
  lease: Lease,
  finish: Finish,
  now: Date,
): Promise<void> {
  const { outcome, reason, detail } = finish;
  await lockHost(tx, lease.hostId);
  await updateLease(tx, lease.leaseId, { ...finish.change, state: "ended", outcome, endedAt: now });
  await shortenPeriod(tx, lease.leaseId, now);
  await endReservation(tx, lease.leaseId, now);
  const partition = (await listPartitions(tx, { hostId: lease.hostId }, now)).find(
    ({ partitionId }) => partitionId === lease.partitionId,
  );
  await fillStanding(tx, lease, partition?.standingSize ?? null, now);
  if (lease.grantJws) await bumpPartitionGeneration(tx, lease.partitionId);
  await insertLeaseEvent(tx, {
    leaseId: lease.leaseId,
    kind: "ended",
    reason,
    detail: { outcome, ...detail },
    ...(finish.reportId ? { reportId: finish.reportId } : {}),
    at: now,
  });
  await bumpDesiredGeneration(tx, lease.hostId);
}
