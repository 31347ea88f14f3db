import { insertTicket } from "../../lease/relay-ticket-store.ts";
import { getLeaseOfParty } from "../../lease/store.ts";
import { refusal } from "../../refusal/refusal.ts";
import type { Handler } from "../handler.ts";

/**
 * A ticket for one connection to this lease's guest, by this key. The guest itself lets in but the
 * one SSH key that its lease was booked with, so a ticket for the lease is one for that key too.
 */
export const openRelay: Handler<"openRelay"> = async ({ db, clock }, { caller, params }) => {
  const lease = await getLeaseOfParty(db.kysely, caller.partyId, params.leaseId);
  const { leaseId, state } = lease;
  // Who lends the computer has no business in its guest.
  if (lease.clientPartyId !== caller.partyId) {
    throw refusal("not-found", { what: "lease", id: leaseId });
  }
  if (state !== "ready") throw refusal("lease-not-ready", { leaseId, state });
  const { keyId } = caller;
  const { ticket, expiresAt } = await insertTicket(db.kysely, { leaseId, keyId, now: clock.now() });
  return { leaseId, ticket, expiresAt: expiresAt.toISOString() };
};
