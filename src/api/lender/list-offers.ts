import { listOffers as readOffers } from "../../market/offer-store.ts";
import type { Handler } from "../handler.ts";
import { viewOffer } from "../views.ts";

export const listOffers: Handler<"listOffers"> = async (context, { caller }) => {
  const offers = await readOffers(context.db.kysely, { lenderPartyId: caller.partyId });
  return { offers: offers.map((offer) => viewOffer(context, offer)) };
};
