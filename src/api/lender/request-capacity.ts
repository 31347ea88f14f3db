import { transaction } from "../../database/transaction.ts";
import { insertCapacityRequest } from "../../enablement/capacity/request-store.ts";
import { isWholeQuantity, quantityIn } from "../../enablement/capacity/resource.ts";
import { getHostOfLender } from "../../host/store.ts";
import { getParty, listParties, type Party } from "../../party/store.ts";
import { refusal } from "../../refusal/refusal.ts";
import type { ServerContext } from "../context.ts";
import type { Handler } from "../handler.ts";
import { viewRequests } from "../provider/view.ts";

export const requestCapacity: Handler<"requestCapacity"> = async (context, { caller, body }) => {
  const now = context.clock.now();
  const { requestId, resource, quantity, forSeconds } = body;
  const host = await getHostOfLender(context.db.kysely, caller.partyId, body.host);
  const provider = await providerOf(context, body.provider);
  if (!isWholeQuantity(resource, quantity)) throw refusal("capacity-not-whole", { resource });
  const standby = quantityIn(host.standby, resource);
  if (quantity > standby) {
    throw refusal("standby-short", { host: host.name, resource, quantity, standby });
  }
  return transaction(context.db, async (tx) => {
    const request = await insertCapacityRequest(tx, {
      ...{ requestId, resource, quantity, forSeconds },
      hostId: host.hostId,
      providerPartyId: provider.partyId,
      requestJws: null,
      createdAt: now,
    });
    const [shown] = await viewRequests(tx, [request]);
    if (!shown) throw new Error(`${requestId} cannot be shown`);
    return shown;
  });
};

async function providerOf({ db }: ServerContext, named: string | undefined): Promise<Party> {
  if (named !== undefined) {
    const party = await getParty(db.kysely, named);
    if (party.roles.includes("provider")) return party;
    throw refusal("not-found", { what: "provider", id: named });
  }
  const providers = (await listParties(db.kysely)).filter(({ roles }) =>
    roles.includes("provider"),
  );
  const [only] = providers;
  if (only && providers.length === 1) return only;
  throw refusal("provider-not-named", { providers: providers.map(({ name }) => name) });
}
