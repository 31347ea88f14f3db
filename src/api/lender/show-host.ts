import { listHostEvents } from "../../host/event-store.ts";
import { listPartitions } from "../../host/partition-store.ts";
import { getHostOfLender } from "../../host/store.ts";
import { readReservedNow } from "../../lease/reservation-store.ts";
import { SIZE_ZERO } from "../../unit/size.ts";
import type { Handler } from "../handler.ts";
import { viewHost, viewPartition } from "../views.ts";
import { viewLentCodes } from "./view-lent-codes.ts";

const EVENTS_SHOWN = 20;

export const showHost: Handler<"showHost"> = async (context, { caller, params }) => {
  const { db, clock } = context;
  const now = clock.now();
  const host = await getHostOfLender(db.kysely, caller.partyId, params.host);
  const reserved = await readReservedNow(db.kysely, [host.hostId], now);
  const partitions = await listPartitions(db.kysely, { hostId: host.hostId }, now);
  const events = await listHostEvents(db.kysely, host.hostId, EVENTS_SHOWN);
  return {
    host: viewHost(context, host, caller.name, reserved.get(host.hostId) ?? SIZE_ZERO),
    partitions: partitions.map(viewPartition),
    lentCodes: await viewLentCodes(db.kysely, host.hostId, now),
    events: events.map(({ at, ...event }) => ({ ...event, at: at.toISOString() })),
  };
};
