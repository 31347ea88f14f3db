import { findProviderOfHost } from "../../enablement/capacity/code-store.ts";
import { refusal } from "../../refusal/refusal.ts";
import { takeActs } from "../capacity/take-acts.ts";
import type { Handler } from "../handler.ts";

/** One ledger a host: whichever of its providers signs the receipt, all of them see the acts. */
export const sendActs: Handler<"sendActs"> = async (context, { caller, body: { actsJws } }) => {
  const { hostId } = caller;
  const providerId = await findProviderOfHost(context.db.kysely, hostId);
  if (!providerId) {
    throw refusal("not-found", { what: "provider that has issued a code for", id: caller.name });
  }
  const receiptJws = await takeActs(context, { hostId, providerId }, actsJws);
  context.wake();
  return { receiptJws };
};
