import { answerOrder } from "../../enablement/capacity/order-store.ts";
import type { Handler } from "../handler.ts";

/** What became of an order; told again, the first answer stays. */
export const answerCapacityOrder: Handler<"answerCapacityOrder"> = async (
  { db, clock },
  { caller, params: { orderId }, body: { outcome, message } },
) => {
  const { hostId } = caller;
  await answerOrder(db.kysely, { orderId, hostId, outcome, message, now: clock.now() });
  return { orderId };
};
