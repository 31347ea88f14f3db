import { listProvidersOfHost } from "../../enablement/capacity/code-store.ts";
import { refusal } from "../../refusal/refusal.ts";
import { takeActs } from "../capacity/take-acts.ts";
import type { Handler } from "../handler.ts";

/** One ledger a host: whichever of its providers signs the receipt, all of them see the acts. */
export const sendActs: Handler<"sendActs"> = async (context, { caller, body }) => {
  const { hostId } = caller;
  const all = await listProvidersOfHost(context.db.kysely, hostId);
  const wanted = body.providerId ?? all[0];
  const providerId = all.find((one) => one === wanted);
  if (providerId === undefined) {
    const what = `${wanted ?? "a provider"} among those that have issued a code for`;
    throw refusal("not-found", { what, id: caller.name });
  }
  const receiptJws = await takeActs(context, { hostId, providerId }, body.actsJws);
  context.wake();
  return { receiptJws };
};
