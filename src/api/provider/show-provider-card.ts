import { transaction } from "../../database/transaction.ts";
import type { Handler } from "../handler.ts";
import { signedCard } from "./card.ts";

export const showProviderCard: Handler<"showProviderCard"> = async (context, { caller }) => {
  const now = context.clock.now();
  const card = await transaction(context.db, (tx) => signedCard(tx, caller, now));
  return { providerId: caller.partyId, ...card };
};
