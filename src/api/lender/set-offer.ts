import { transaction } from "../../database/transaction.ts";
import { getPartition } from "../../host/partition-store.ts";
import { getHostOfLender, lockHost } from "../../host/store.ts";
import { listOffers, replaceOffer } from "../../market/offer-store.ts";
import { refusal } from "../../refusal/refusal.ts";
import type { Handler } from "../handler.ts";
import { viewOffer } from "../views.ts";

export const setOffer: Handler<"setOffer"> = async (context, { caller, params, body }) => {
  const now = context.clock.now();
  if (body.leaseSecondsMin > body.leaseSecondsMax) {
    throw refusal("invalid-input", {
      message: "the shortest lease is longer than the longest; change --min-lease or --max-lease",
    });
  }
  const { hostId } = await getHostOfLender(context.db.kysely, caller.partyId, params.host);
  return transaction(context.db, async (tx) => {
    const host = await lockHost(tx, hostId);
    const partition = await getPartition(tx, host, params.name, now);
    if (!partition.lendable) throw refusal("not-lendable", { partition: partition.name });
    if (partition.cpuMode === "shared") {
      throw refusal("unsupported", {
        what: "lending shared cpu",
        instead: "set the partition --dedicated first",
      });
    }
    const offerId = await replaceOffer(
      tx,
      {
        partitionId: partition.partitionId,
        lenderPartyId: caller.partyId,
        priceMicrosPerCoreHour: BigInt(body.priceMicrosPerCoreHour),
        priceMicrosPerMemoryGibHour: BigInt(body.priceMicrosPerMemoryGibHour),
        priceMicrosPerDiskGibHour: BigInt(body.priceMicrosPerDiskGibHour),
        priceMicrosPerHour: BigInt(body.priceMicrosPerHour),
        leaseSecondsMin: body.leaseSecondsMin,
        leaseSecondsMax: body.leaseSecondsMax,
      },
      now,
    );
    const [offer] = await listOffers(tx, { offerId });
    if (!offer) throw new Error(`${offerId} vanished in its own transaction`);
    return viewOffer(context, offer);
  });
};
