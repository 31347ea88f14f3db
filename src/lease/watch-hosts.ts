import type { Kysely } from "kysely";
import type { Database } from "../database/connect.ts";
import { transaction } from "../database/transaction.ts";
import type { DB } from "../database/types.ts";
import { type HostState, hostState, type Presence } from "../host/liveness.ts";
import { listWatchedHostIds, updatePresence } from "../host/presence-store.ts";
import { getHost, type Host, insertHostEvent, lockHost } from "../host/store.ts";
import type { HostId } from "../unit/id.ts";
import { insertLeaseEvent } from "./event-store.ts";
import { type Lease, listGrantedLeases, lockLease } from "./store.ts";

/**
 * Tells by events, once each, when a host falls silent (`late`, `lost`) and when it is heard again
 * (`back`); leases on it are told of the loss and the return. Nothing ends and nothing is taken
 * away because of it (invariant 5): the guests may well go on. Returns how many hosts changed.
 */
export async function watchHostsOnce(
  { db, upSince }: { readonly db: Database; readonly upSince: Date },
  now: Date,
): Promise<number> {
  let changed = 0;
  for (const hostId of await listWatchedHostIds(db.kysely)) {
    const host = await getHost(db.kysely, hostId);
    if (hostState(host, { upSince, now }) === host.presence) continue;
    if (await transaction(db, (tx) => tell(tx, hostId, { upSince, now }))) changed += 1;
  }
  return changed;
}

async function tell(
  tx: Kysely<DB>,
  hostId: HostId,
  server: { upSince: Date; now: Date },
): Promise<boolean> {
  // Leases before their host: the order in which everybody locks them.
  const leases: Lease[] = [];
  for (const { leaseId } of (await listGrantedLeases(tx, hostId)).toReversed()) {
    leases.push(await lockLease(tx, leaseId));
  }
  const host = await lockHost(tx, hostId);
  const state = hostState(host, server);
  if (state === host.presence || !isPresence(state)) return false;
  const { now } = server;
  const event = describe(host, state, now);
  await insertHostEvent(tx, { hostId, ...event, now });
  const isOfLeases = state === "lost" || host.presence === "lost";
  for (const { leaseId, state: leaseState } of isOfLeases ? leases : []) {
    if (leaseState === "ended") continue;
    const detail = { host: host.name, ...event.detail };
    await insertLeaseEvent(tx, { leaseId, kind: `host-${event.kind}`, detail, at: now });
  }
  await updatePresence(tx, hostId, {
    presence: state,
    since: state === "seen" ? now : silentFrom(host),
  });
  return true;
}

function isPresence(state: HostState): state is Presence {
  return state === "seen" || state === "late" || state === "lost";
}

function describe(host: Host, state: Presence, now: Date): { kind: string; detail: object } {
  const from = silentFrom(host);
  if (state !== "seen") return { kind: state, detail: { heardAt: from?.toISOString() ?? null } };
  const until = host.seenAt ?? now;
  return {
    kind: "back",
    detail: {
      was: host.presence,
      silentFrom: from?.toISOString() ?? null,
      silentUntil: until.toISOString(),
      silentSeconds: from === null ? null : Math.round((until.getTime() - from.getTime()) / 1000),
      message:
        "the host meters by itself and delivers its records now; what they do not witness is marked as a gap and not charged",
    },
  };
}

/** When it was last heard before the silence that was noted, or is noted now. */
function silentFrom(host: Host): Date | null {
  return host.presence === "seen" ? host.seenAt : host.presenceSince;
}
