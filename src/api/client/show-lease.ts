import { listLeaseEvents } from "../../lease/event-store.ts";
import { getLeaseOfParty } from "../../lease/store.ts";
import type { Handler } from "../handler.ts";
import { viewLease } from "../views.ts";

export const showLease: Handler<"showLease"> = async ({ db }, { caller, params: { leaseId } }) => {
  const lease = await getLeaseOfParty(db.kysely, caller.partyId, leaseId);
  const events = await listLeaseEvents(db.kysely, leaseId);
  return {
    lease: viewLease(lease, caller.partyId),
    events: events.map((event) => ({
      ...event,
      detail: { ...event.detail },
      at: event.at.toISOString(),
    })),
  };
};
