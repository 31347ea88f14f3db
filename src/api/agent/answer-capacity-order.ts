import { transaction } from "../../database/transaction.ts";
import { answerOrder } from "../../enablement/capacity/order-store.ts";
import { closeLentCode } from "../../host/lent-code-store.ts";
import type { Handler } from "../handler.ts";

/**
 * What became of an order; told again, the first answer stays. A code that was kept is not lent any
 * more, whenever its host says next what it lends.
 */
export const answerCapacityOrder: Handler<"answerCapacityOrder"> = async (
  { db, clock },
  { caller, params: { orderId }, body: { outcome, message } },
) => {
  const { hostId } = caller;
  await transaction(db, async (tx) => {
    const answer = { orderId, hostId, outcome, message, now: clock.now() };
    const answered = await answerOrder(tx, answer);
    if (outcome !== "done" || answered?.kind !== "keep") return;
    await closeLentCode(tx, { hostId, codeId: answered.codeId });
  });
  return { orderId };
};
