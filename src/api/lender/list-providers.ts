import { transaction } from "../../database/transaction.ts";
import { listParties } from "../../party/store.ts";
import type { Handler } from "../handler.ts";
import { signedCard } from "../provider/card.ts";

export const listProviders: Handler<"listProviders"> = async ({ db, clock }) =>
  transaction(db, async (tx) => {
    const providers = [];
    for (const party of await listParties(tx)) {
      if (!party.roles.includes("provider")) continue;
      const card = await signedCard(tx, party, clock.now());
      providers.push({ provider: { id: party.partyId, name: party.name }, ...card });
    }
    return { providers };
  });
