import { transaction } from "../../database/transaction.ts";
import {
  getCapacityRequest,
  listCapacityRequests as list,
  settleCapacityRequest,
} from "../../enablement/capacity/request-store.ts";
import { refusal } from "../../refusal/refusal.ts";
import type { Handler } from "../handler.ts";
import { viewRequests } from "./view.ts";

export const listCapacityRequests: Handler<"listCapacityRequests"> = async (
  { db },
  { caller },
) => ({
  requests: await viewRequests(
    db.kysely,
    await list(db.kysely, { providerPartyId: caller.partyId }),
  ),
});

export const declineCapacity: Handler<"declineCapacity"> = async (
  { db, clock },
  { caller, params: { requestId } },
) =>
  transaction(db, async (tx) => {
    const request = await getCapacityRequest(tx, requestId);
    if (request.providerPartyId !== caller.partyId) {
      throw refusal("not-found", { what: "capacity request", id: requestId });
    }
    await settleCapacityRequest(tx, requestId, "declined", clock.now());
    const [shown] = await viewRequests(tx, [await getCapacityRequest(tx, requestId)]);
    if (!shown) throw new Error(`${requestId} was not found again`);
    return shown;
  });
