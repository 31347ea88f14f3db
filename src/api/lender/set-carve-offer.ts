import { transaction } from "../../database/transaction.ts";
import { getHostOfLender, lockHost } from "../../host/store.ts";
import { listOffers, replaceOffer } from "../../market/offer-store.ts";
import { refusal } from "../../refusal/refusal.ts";
import { addSizes, fitsWithin } from "../../unit/size.ts";
import type { Handler } from "../handler.ts";
import { viewOffer } from "../views.ts";
import { conditionsOf, refuseInternetWhereNone } from "./offer-conditions.ts";

export const setCarveOffer: Handler<"setCarveOffer"> = async (
  context,
  { caller, params, body: { max, cpuMode, ...body } },
) => {
  const now = context.clock.now();
  if (max.cpuMilli === 0 || max.memoryBytes === 0) {
    const message = "what may be carved needs some cpu and some memory";
    throw refusal("size-outside-limits", { message });
  }
  const conditions = await conditionsOf(context.db.kysely, body);
  const found = await getHostOfLender(context.db.kysely, caller.partyId, params.host);
  if (!found.enrolledAt) throw refusal("host-not-enrolled", { host: found.name });
  return transaction(context.db, async (tx) => {
    const host = await lockHost(tx, found.hostId);
    refuseInternetWhereNone(host, conditions);
    if (!fitsWithin(max, addSizes(host.base, host.standby))) {
      const message = `${host.name} has less than that in all; lower the most that may be carved`;
      throw refusal("size-outside-limits", { message });
    }
    const lenderPartyId = caller.partyId;
    const { hostId } = host;
    const carve = { cpuMode, max };
    const offerId = await replaceOffer(
      tx,
      { ...conditions, hostId, partitionId: null, carve, lenderPartyId },
      now,
    );
    const [offer] = await listOffers(tx, { offerId });
    if (!offer) throw new Error(`${offerId} vanished in its own transaction`);
    return viewOffer(context, offer);
  });
};
