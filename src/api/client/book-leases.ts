import { lockParty, placeHold } from "../../billing/ledger-store.ts";
import { transaction } from "../../database/transaction.ts";
import { type Booking, bookLeases as bookAll } from "../../lease/book.ts";
import type { Party } from "../../party/store.ts";
import type { LeaseId } from "../../unit/id.ts";
import type { ServerContext } from "../context.ts";
import type { LeaseView } from "../contract/view.ts";
import type { Handler } from "../handler.ts";
import { viewLease } from "../views.ts";

export const bookLeases: Handler<"bookLeases"> = async (context, { caller, body }) => {
  const { leaseIds, ...booking } = body;
  return { leases: await book(context, caller, leaseIds, booking) };
};

/** Leases, reservations and holds in one transaction: all are booked, or none. */
export async function book(
  context: ServerContext,
  { partyId }: Party,
  leaseIds: readonly LeaseId[],
  booking: Booking,
): Promise<LeaseView[]> {
  const { db, clock, terms, upSince } = context;
  const now = clock.now();
  const { leases, created } = await transaction(db, async (tx) => {
    // One party's bookings take turns: its funds are counted once.
    await lockParty(tx, partyId);
    const booked = await bookAll(tx, {
      ...{ leaseIds, booking, terms, now },
      clientPartyId: partyId,
      serverUpSince: upSince,
    });
    for (const { leaseId, quote } of booked.created ? booked.leases : []) {
      const amountMicros = BigInt(quote.totalMicros);
      await placeHold(tx, { leaseId, partyId, amountMicros, now });
    }
    return booked;
  });
  if (created) context.wake();
  return leases.map((lease) => viewLease(lease, partyId));
}
