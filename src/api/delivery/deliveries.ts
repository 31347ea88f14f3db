import type { z } from "zod";
import type { Delivery } from "../../billing/delivery/delivery.ts";
import {
  listAttempts,
  listDeliveries as readDeliveries,
  requeueDelivery,
} from "../../billing/delivery/store.ts";
import { transaction } from "../../database/transaction.ts";
import type { Party } from "../../party/store.ts";
import { refusal } from "../../refusal/refusal.ts";
import type { DeliveryId } from "../../unit/id.ts";
import type { ServerContext } from "../context.ts";
import type { deliveryView } from "../contract/delivery.ts";
import type { Handler } from "../handler.ts";
import { seenBy, viewTarget } from "./targets.ts";

/** Of several rounds by hand the newest. */
const ATTEMPTS_SHOWN_MAX = 100;

export const listDeliveries: Handler<"listDeliveries"> = async ({ db }, { caller, query }) => {
  const found = await readDeliveries(db.kysely, { partyId: seenBy(caller), ...query });
  return {
    deliveries: found.map(viewDelivery),
    nextCursor: found.length === query.limit ? (found.at(-1)?.deliveryId ?? null) : null,
  };
};

export const showDelivery: Handler<"showDelivery"> = async ({ db }, { caller, params }) => {
  const delivery = await getDelivery(db.kysely, caller, params.deliveryId);
  const attempts = await listAttempts(db.kysely, params.deliveryId, ATTEMPTS_SHOWN_MAX);
  return {
    delivery: viewDelivery(delivery),
    attempts: attempts.map(({ at, ...attempt }) => ({ ...attempt, at: at.toISOString() })),
  };
};

export const redeliver: Handler<"redeliver"> = async (context, { caller, params }) => {
  const { deliveryId } = params;
  const view = await transaction(context.db, async (tx) => {
    const { target } = await getDelivery(tx, caller, deliveryId);
    if (target.disabledAt !== null) {
      const { address, disabledReason } = target;
      throw refusal("delivery-target-off", { address, reason: disabledReason ?? "it is off" });
    }
    await requeueDelivery(tx, deliveryId, context.clock.now());
    return viewDelivery(await getDelivery(tx, caller, deliveryId));
  });
  return view;
};

async function getDelivery(
  db: ServerContext["db"]["kysely"],
  caller: Party,
  deliveryId: DeliveryId,
): Promise<Delivery> {
  const [delivery] = await readDeliveries(db, { partyId: seenBy(caller), deliveryId, limit: 1 });
  if (!delivery) throw refusal("not-found", { what: "delivery", id: deliveryId });
  return delivery;
}

function viewDelivery(delivery: Delivery): z.infer<typeof deliveryView> {
  return {
    deliveryId: delivery.deliveryId,
    billId: delivery.billId,
    target: viewTarget(delivery.target),
    state: delivery.state,
    queuedAt: delivery.queuedAt.toISOString(),
    dueAt: delivery.state === "queued" ? delivery.dueAt.toISOString() : null,
    settledAt: delivery.settledAt?.toISOString() ?? null,
    attempts: delivery.attempts,
    failure: delivery.failure,
  };
}
