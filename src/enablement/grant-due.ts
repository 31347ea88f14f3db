import type { Kysely } from "kysely";
import type { Database } from "../database/connect.ts";
import { transaction } from "../database/transaction.ts";
import type { DB } from "../database/types.ts";
import { bumpPartitionGeneration, listPartitions } from "../host/partition-store.ts";
import { bumpDesiredGeneration, getHost } from "../host/store.ts";
import { getImage } from "../image/store.ts";
import { hasLeaseEvent, insertLeaseEvent } from "../lease/event-store.ts";
import { finishLease } from "../lease/finish.ts";
import { END_REASONS } from "../lease/state.ts";
import {
  type Lease,
  listDueLeases,
  listOverdueLeases,
  lockLease,
  updateLease,
} from "../lease/store.ts";
import type { LeaseId } from "../unit/id.ts";
import { type Issuer, issueEndOrder, issueGrant } from "./issue.ts";

export interface PassContext {
  readonly db: Database;
  readonly issuer: Issuer;
  /** Runs where a lease ends that was never granted: its hold is released. */
  readonly onNeverGranted: (tx: Kysely<DB>, leaseId: LeaseId, now: Date) => Promise<void>;
}

/**
 * Leases whose period has begun: grants them, which freezes their partition. One whose predecessor
 * is not wiped yet waits, and that is told once; one that waited for its whole period is over. The
 * time that it waits is not charged. One whose period passed unseen is granted all the same: its host
 * may have run it before this database was set back, and says so; any other host finds it expired.
 * Returns how many moved.
 */
export async function grantDueOnce(context: PassContext, now: Date): Promise<number> {
  let moved = 0;
  for (const leaseId of await listDueLeases(context.db.kysely, now)) {
    const changed = await transaction(context.db, async (tx) => {
      const lease = await lockLease(tx, leaseId);
      if (lease.state !== "booked" || !lease.period || lease.period.start > now) return false;
      const hasWaited = await hasLeaseEvent(tx, leaseId, "waiting");
      if (lease.period.end <= now && hasWaited) return giveUp(context, tx, lease, now);
      const partition = (await listPartitions(tx, { hostId: lease.hostId }, now)).find(
        ({ partitionId }) => partitionId === lease.partitionId,
      );
      if (!partition) return false;
      if (partition.inUse) return hasWaited ? false : tellOfWait(tx, lease, now);
      return grant(context, tx, lease, now);
    });
    if (changed) moved += 1;
  }
  return moved;
}

async function grant(
  { issuer }: PassContext,
  tx: Kysely<DB>,
  lease: Lease,
  now: Date,
): Promise<boolean> {
  const image = await getImage(tx, lease.imageId);
  const host = await getHost(tx, lease.hostId);
  // The re-cut counts as a change of the partition, and is the last one before the freeze.
  await bumpPartitionGeneration(tx, lease.partitionId);
  await updateLease(tx, lease.leaseId, {
    state: "preparing",
    grantJws: issueGrant(issuer, { lease, image, host, now }),
    preparingAt: now,
  });
  await insertLeaseEvent(tx, { leaseId: lease.leaseId, kind: "preparing", at: now });
  await bumpDesiredGeneration(tx, lease.hostId);
  return true;
}

/** Who is in the partition is not this client's to know; that somebody is, explains the delay. */
async function tellOfWait(tx: Kysely<DB>, { leaseId }: Lease, now: Date): Promise<boolean> {
  const reason = "predecessor-not-wiped";
  await insertLeaseEvent(tx, { leaseId, kind: "waiting", reason, at: now });
  return true;
}

async function giveUp(
  { onNeverGranted }: PassContext,
  tx: Kysely<DB>,
  lease: Lease,
  now: Date,
): Promise<boolean> {
  const reason = "partition-not-free-in-time";
  await finishLease(tx, lease, { outcome: "not-delivered", reason }, now);
  await onNeverGranted(tx, lease.leaseId, now);
  return true;
}

/** Hosts end leases by their own clock; one that is silent this long after is told to. */
const OVERDUE_AFTER_MS = 60_000;

export async function endOverdueOnce(context: PassContext, now: Date): Promise<number> {
  const before = new Date(now.getTime() - OVERDUE_AFTER_MS);
  let moved = 0;
  for (const leaseId of await listOverdueLeases(context.db.kysely, before)) {
    await transaction(context.db, async (tx) => {
      const lease = await lockLease(tx, leaseId);
      if (lease.state !== "preparing" && lease.state !== "ready") return;
      await orderEnd(tx, context.issuer, lease, END_REASONS.hostSilent, now);
      moved += 1;
    });
  }
  return moved;
}

/** Under the lease's lock: from now on it is ending, and its host reads a signed order that says so. */
export async function orderEnd(
  tx: Kysely<DB>,
  issuer: Issuer,
  lease: Lease,
  reason: string,
  now: Date,
): Promise<void> {
  await updateLease(tx, lease.leaseId, {
    state: "ending",
    endJws: issueEndOrder(issuer, { lease, reason, now }),
    endingAt: now,
  });
  await insertLeaseEvent(tx, { leaseId: lease.leaseId, kind: "ending", reason, at: now });
  await bumpDesiredGeneration(tx, lease.hostId);
}
