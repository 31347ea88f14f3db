import { transaction } from "../../database/transaction.ts";
import { insertKey, insertParty } from "../../party/store.ts";
import type { Handler } from "../handler.ts";

export const addParty: Handler<"addParty"> = async ({ db, clock }, { body }) => {
  const now = clock.now();
  return transaction(db, async (tx) => {
    const party = await insertParty(tx, { ...body, now });
    const key = await insertKey(tx, { partyId: party.partyId, label: "first", now });
    return { party: { ...party, roles: [...party.roles] }, ...key };
  });
};
