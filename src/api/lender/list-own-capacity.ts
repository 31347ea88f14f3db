import { listCodes } from "../../enablement/capacity/code-store.ts";
import { listCapacityRequests } from "../../enablement/capacity/request-store.ts";
import type { Handler } from "../handler.ts";
import { viewCodes, viewRequests } from "../provider/view.ts";

export const listOwnCapacity: Handler<"listOwnCapacity"> = async ({ db }, { caller }) => {
  const { partyId } = caller;
  const requests = await listCapacityRequests(db.kysely, { ownerPartyId: partyId });
  const codes = await listCodes(db.kysely, { customerPartyId: partyId });
  return {
    requests: await viewRequests(db.kysely, requests),
    codes: await viewCodes(db.kysely, codes),
  };
};
