import type { Kysely } from "kysely";
import { giveBackPending } from "../../billing/lapse-extensions.ts";
import { releaseHold } from "../../billing/ledger-store.ts";
import { transaction } from "../../database/transaction.ts";
import type { DB } from "../../database/types.ts";
import { orderEnd } from "../../enablement/grant-due.ts";
import { type Issuer, issueEndOrder } from "../../enablement/issue.ts";
import { replaceHostKey } from "../../host/key-store.ts";
import { hostState } from "../../host/liveness.ts";
import { listPartitions, markPartitionRemoved } from "../../host/partition-store.ts";
import { updateDrained, updateRemoved } from "../../host/service-store.ts";
import {
  bumpDesiredGeneration,
  getHostOfLender,
  type Host,
  insertHostEvent,
  lockHost,
} from "../../host/store.ts";
import { finishLease } from "../../lease/finish.ts";
import { fillStanding } from "../../lease/reservation-store.ts";
import { END_REASONS } from "../../lease/state.ts";
import { type Lease, listOpenLeases, lockLease } from "../../lease/store.ts";
import { withdrawOffersOfHost } from "../../market/offer-store.ts";
import type { HostRemoval } from "../../partition/signed.ts";
import { refusal } from "../../refusal/refusal.ts";
import { sign } from "../../signature/envelope.ts";
import type { Handler } from "../handler.ts";

/**
 * Takes a host off the market for good. With open leases only when its lender declares it dead, by
 * its name: they end without a wipe receipt, by the server's signed statement of that.
 */
export const removeHost: Handler<"removeHost"> = async (context, { caller, params, body }) => {
  const { db, clock, upSince } = context;
  const now = clock.now();
  const found = await getHostOfLender(db.kysely, caller.partyId, params.host);
  if (found.removedAt) throw refusal("host-removed", { host: found.name });
  if (body.dead) {
    if (body.confirmName !== found.name) throw refusal("name-not-confirmed", { name: found.name });
    refuseAlive(found, { upSince, now });
    // On its own: from here on nothing is booked that the end below would not see.
    await transaction(db, (tx) => updateDrained(tx, found.hostId, found.drainedAt ?? now));
  }
  const issuer = { serverId: context.serverId, key: context.keys.current };
  const endedLeaseIds = await transaction(db, async (tx) => {
    const leases = body.dead ? await lockAll(tx, found) : [];
    const host = await lockHost(tx, found.hostId);
    if (host.removedAt) throw refusal("host-removed", { host: host.name });
    if (body.dead) refuseAlive(host, { upSince, now });
    for (const lease of leases) await endByRemoval(tx, issuer, lease, now);
    await refuseOpen(tx, host);
    await takeAway(tx, host, now);
    const ended = leases.map(({ leaseId }) => leaseId);
    const detail = { by: caller.name, dead: body.dead, endedLeaseIds: ended };
    await insertHostEvent(tx, { hostId: host.hostId, kind: "removed", detail, now });
    return ended;
  });
  context.wake();
  return { hostId: found.hostId, removedAt: now.toISOString(), endedLeaseIds };
};

/** Who answers is not dead, and can end its leases as they should be. */
function refuseAlive(host: Host, server: { upSince: Date; now: Date }): void {
  if (hostState(host, server) !== "seen") return;
  throw refusal("host-alive", {
    host: host.name,
    seenAt: host.seenAt?.toISOString() ?? "its enrolment",
  });
}

/** Leases before their host: the order in which everybody locks them. */
async function lockAll(tx: Kysely<DB>, { hostId }: Host): Promise<Lease[]> {
  const leases: Lease[] = [];
  for (const { leaseId } of (await listOpenLeases(tx, hostId)).toReversed()) {
    const lease = await lockLease(tx, leaseId);
    if (lease.state !== "ended") leases.push(lease);
  }
  return leases;
}

async function refuseOpen(tx: Kysely<DB>, { hostId, name }: Host): Promise<void> {
  const open = await listOpenLeases(tx, hostId);
  const leases = open.map(({ leaseId, state }) => ({ leaseId, state }));
  if (leases.length > 0) throw refusal("host-has-leases", { host: name, leases });
}

/**
 * What was granted ends by the server's statement, and a signed end waits for the agent, should it
 * ever come back: only that makes it stop and wipe the guest (invariant 5).
 */
async function endByRemoval(
  tx: Kysely<DB>,
  issuer: Issuer,
  lease: Lease,
  now: Date,
): Promise<void> {
  const reason = END_REASONS.hostRemoved;
  const { leaseId } = lease;
  if (lease.grantJws === null) {
    await finishLease(tx, lease, { outcome: "not-delivered", reason }, now);
    await releaseHold(tx, leaseId, now);
    return;
  }
  await giveBackPending(tx, lease, { reason, now });
  if (lease.state !== "ending") await orderEnd(tx, issuer, lease, reason, now);
  const removal: HostRemoval = {
    iss: issuer.serverId,
    leaseId,
    hostId: lease.hostId,
    partitionId: lease.partitionId,
    declaredBy: lease.lenderPartyId,
    removedAt: now.toISOString(),
  };
  const removalJws = sign("sublet-host-removal", removal, issuer.key);
  const outcome = lease.readyAt === null ? "not-delivered" : "failed";
  const late = lease.state === "ending" && lease.endJws === null;
  const endJws = late ? { endJws: issueEndOrder(issuer, { lease, reason, now }) } : {};
  const change = { removalJws, access: null, ...endJws };
  await finishLease(tx, lease, { outcome, reason, change }, now);
}

async function takeAway(tx: Kysely<DB>, host: Host, now: Date): Promise<void> {
  const { hostId } = host;
  await withdrawOffersOfHost(tx, hostId, now);
  for (const partition of await listPartitions(tx, { hostId }, now)) {
    await fillStanding(tx, partition, null, now);
    await markPartitionRemoved(tx, partition.partitionId, now);
  }
  await replaceHostKey(tx, { hostId, jwk: null, rotationJws: null, now });
  await updateRemoved(tx, hostId, now);
  await bumpDesiredGeneration(tx, hostId);
}
