import { transaction } from "../../database/transaction.ts";
import { getPartition } from "../../host/partition-store.ts";
import { getHostOfLender, lockHost } from "../../host/store.ts";
import { listOffers, replaceOffer } from "../../market/offer-store.ts";
import { refusal } from "../../refusal/refusal.ts";
import type { Handler } from "../handler.ts";
import { viewOffer } from "../views.ts";
import { conditionsOf, refuseInternetWhereNone } from "./offer-conditions.ts";

export const setOffer: Handler<"setOffer"> = async (context, { caller, params, body }) => {
  const now = context.clock.now();
  const conditions = await conditionsOf(context.db.kysely, body);
  const { hostId } = await getHostOfLender(context.db.kysely, caller.partyId, params.host);
  return transaction(context.db, async (tx) => {
    const host = await lockHost(tx, hostId);
    refuseInternetWhereNone(host, conditions);
    const partition = await getPartition(tx, host, params.name, now);
    if (partition.carved) {
      throw refusal("not-found", { what: "partition of yours", id: partition.name });
    }
    if (!partition.lendable) throw refusal("not-lendable", { partition: partition.name });
    const { partitionId } = partition;
    const lenderPartyId = caller.partyId;
    const offerId = await replaceOffer(
      tx,
      { ...conditions, hostId, partitionId, carve: null, lenderPartyId },
      now,
    );
    const [offer] = await listOffers(tx, { offerId });
    if (!offer) throw new Error(`${offerId} vanished in its own transaction`);
    return viewOffer(context, offer);
  });
};
