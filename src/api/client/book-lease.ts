import { lockParty, placeHold } from "../../billing/ledger-store.ts";
import { transaction } from "../../database/transaction.ts";
import { bookLease as book } from "../../lease/book.ts";
import type { Handler } from "../handler.ts";
import { viewLease } from "../views.ts";

export const bookLease: Handler<"bookLease"> = async (context, { caller, params, body }) => {
  const { db, clock, terms, upSince } = context;
  const { partyId } = caller;
  const now = clock.now();
  const { lease, created } = await transaction(db, async (tx) => {
    // One party's bookings take turns: its funds are counted once.
    await lockParty(tx, partyId);
    const booked = await book(tx, {
      leaseId: params.leaseId,
      clientPartyId: partyId,
      booking: body,
      terms,
      serverUpSince: upSince,
      now,
    });
    if (booked.created) {
      const amountMicros = BigInt(booked.lease.quote.totalMicros);
      await placeHold(tx, { leaseId: params.leaseId, partyId, amountMicros, now });
    }
    return booked;
  });
  if (created) context.wake();
  return viewLease(lease, partyId);
};
