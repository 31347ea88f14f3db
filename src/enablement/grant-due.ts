import type { Kysely } from "kysely";
import type { Database } from "../database/connect.ts";
import type { DB } from "../database/types.ts";
import { bumpPartitionGeneration, listPartitions } from "../host/partition-store.ts";
import { bumpDesiredGeneration, lockHost } from "../host/store.ts";
import { getImage } from "../image/store.ts";
import { eachLease } from "../lease/each-lease.ts";
import { hasLeaseEvent, insertLeaseEvent } from "../lease/event-store.ts";
import { finishLease } from "../lease/finish.ts";
import { fillStanding, prolongReservation, readStandby } from "../lease/reservation-store.ts";
import { END_REASONS } from "../lease/state.ts";
import {
  type Lease,
  listDueLeases,
  listOverdueLeases,
  listOverruns,
  updateLease,
} from "../lease/store.ts";
import type { LeaseId } from "../unit/id.ts";
import { type Issuer, issueEndOrder, issueGrant } from "./issue.ts";

export interface PassContext {
  readonly db: Database;
  readonly issuer: Issuer;
  readonly billingTimeZone: string;
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
  const due = await listDueLeases(context.db.kysely, now);
  return eachLease(context.db, due, async (tx, lease) => {
    if (lease.state !== "booked" || !lease.period || lease.period.start > now) return false;
    const hasWaited = await hasLeaseEvent(tx, lease.leaseId, "waiting");
    if (lease.period.end <= now && hasWaited) return giveUp(context, tx, lease, now);
    const partition = (await listPartitions(tx, { hostId: lease.hostId }, now)).find(
      ({ partitionId }) => partitionId === lease.partitionId,
    );
    if (!partition) return false;
    if (partition.inUse) return hasWaited ? false : tellOfWait(tx, lease, now);
    return grant(context, tx, lease, now);
  });
}

async function grant(
  { issuer, billingTimeZone }: PassContext,
  tx: Kysely<DB>,
  lease: Lease,
  now: Date,
): Promise<boolean> {
  const image = await getImage(tx, lease.imageId);
  // Under its lock: a grant names the key from before a rotation and is seen by whoever reads after
  // it, or names the new one.
  const host = await lockHost(tx, lease.hostId);
  const standby = await readStandby(tx, lease.leaseId);
  // The re-cut counts as a change of the partition, and is the last one before the freeze.
  await bumpPartitionGeneration(tx, lease.partitionId);
  await updateLease(tx, lease.leaseId, {
    state: "preparing",
    grantJws: issueGrant(issuer, { lease, standby, image, host, billingTimeZone, now }),
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
  const overdue = await listOverdueLeases(context.db.kysely, before);
  return eachLease(context.db, overdue, async (tx, lease) => {
    if (lease.state !== "preparing" && lease.state !== "ready") return false;
    await orderEnd(tx, context.issuer, lease, END_REASONS.hostSilent, now);
    return true;
  });
}

/** Looked at this long ahead, so that a slow pass leaves no instant in which nothing is held. */
const OVERRUN_AHEAD_MS = 10_000;
const OVERRUN_STEP_MS = 60_000;

/** Leases that are still not wiped: what they hold stays theirs, a minute at a time. */
export async function holdOverrunsOnce({ db }: PassContext, now: Date): Promise<number> {
  const soon = new Date(now.getTime() + OVERRUN_AHEAD_MS);
  const until = new Date(now.getTime() + OVERRUN_STEP_MS);
  return eachLease(db, await listOverruns(db.kysely, soon), async (tx, lease) => {
    if (lease.state === "booked" || lease.state === "ended") return false;
    const host = await lockHost(tx, lease.hostId);
    const partition = (await listPartitions(tx, { hostId: host.hostId }, now)).find(
      ({ partitionId }) => partitionId === lease.partitionId,
    );
    // What stands is taken away first: it may have begun already, while the server was down.
    await fillStanding(tx, lease, null, now);
    await prolongReservation(tx, lease, until);
    if (partition && !partition.carved) {
      const { standingSize: size, cpuMode } = partition;
      await fillStanding(tx, lease, { size, cpuMode, yielding: true }, now);
    }
    return true;
  });
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
