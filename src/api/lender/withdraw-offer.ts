import { withdrawOffer as withdraw } from "../../market/offer-store.ts";
import type { Handler } from "../handler.ts";

export const withdrawOffer: Handler<"withdrawOffer"> = async (
  { db, clock },
  { caller, params: { offerId } },
) => {
  const withdrawnAt = await withdraw(db.kysely, caller.partyId, offerId, clock.now());
  return { offerId, withdrawnAt: withdrawnAt.toISOString() };
};
