import type { Kysely } from "kysely";
import type { z } from "zod";
import { transaction } from "../../database/transaction.ts";
import type { DB } from "../../database/types.ts";
import {
  insertOrder,
  listOrders,
  type StoredOrder,
} from "../../enablement/capacity/order-store.ts";
import { listLentCodes } from "../../host/lent-code-store.ts";
import { bumpDesiredGeneration, getHostOfLender, lockHost } from "../../host/store.ts";
import { refusal } from "../../refusal/refusal.ts";
import type { capacityOrderView } from "../contract/capacity.ts";
import type { Handler } from "../handler.ts";

/**
 * The owner makes the order's id: asked twice, it is done once. An order to keep a code closes it for
 * new leases, until the agent has answered.
 */
export const orderCapacity: Handler<"orderCapacity"> = async (context, { caller, body }) => {
  const now = context.clock.now();
  const host = await getHostOfLender(context.db.kysely, caller.partyId, body.host);
  if (host.isRegistered) {
    const message = `${host.name} has no agent that speaks to this server; do it at the host itself with \`sublet capacity\``;
    throw refusal("invalid-input", { message });
  }
  const order = await transaction(context.db, async (tx) => {
    const stored = await insertOrder(tx, {
      ...{ orderId: body.orderId, hostId: host.hostId, ordered: body.ordered },
      ...{ orderedAt: now, orderedBy: caller.partyId },
    });
    if (stored.outcome === null) await refuseReserved(tx, stored);
    await bumpDesiredGeneration(tx, host.hostId);
    return stored;
  });
  return view(order);
};

/** What leases have reserved of a code is theirs. Under the host's lock, under which they reserve. */
async function refuseReserved(tx: Kysely<DB>, { hostId, ordered }: StoredOrder): Promise<void> {
  if (ordered.kind !== "keep") return;
  const { codeId } = ordered;
  await lockHost(tx, hostId);
  const code = (await listLentCodes(tx, [hostId])).find((one) => one.codeId === codeId);
  if (!code?.heldUntil) return;
  throw refusal("code-reserved", { codeId, until: code.heldUntil.toISOString() });
}

export const listCapacityOrders: Handler<"listCapacityOrders"> = async (
  { db },
  { caller, params },
) => {
  const host = await getHostOfLender(db.kysely, caller.partyId, params.host);
  const orders = await listOrders(db.kysely, host.hostId);
  return { orders: orders.toReversed().map(view) };
};

function view(order: StoredOrder): z.infer<typeof capacityOrderView> {
  const { orderedAt, answeredAt } = order;
  return {
    ...order,
    orderedAt: orderedAt.toISOString(),
    answeredAt: answeredAt?.toISOString() ?? null,
  };
}
