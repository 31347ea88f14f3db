import { getParty, insertKey } from "../../party/store.ts";
import type { Handler } from "../handler.ts";

export const addKey: Handler<"addKey"> = async ({ db, clock }, { params, body }) => {
  const { partyId } = await getParty(db.kysely, params.party);
  return insertKey(db.kysely, { partyId, label: body.label, now: clock.now() });
};
