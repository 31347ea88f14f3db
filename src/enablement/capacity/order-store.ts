import type { Kysely } from "kysely";
import type { DB } from "../../database/types.ts";
import { refusal } from "../../refusal/refusal.ts";
import { canonicalJson } from "../../unit/canonical.ts";
import type { HostId, Id, PartyId } from "../../unit/id.ts";
import { type CapacityOrder, capacityOrderSchema } from "./order.ts";

export interface StoredOrder {
  readonly orderId: Id<"order">;
  readonly hostId: HostId;
  readonly ordered: CapacityOrder;
  readonly orderedAt: Date;
  /** `done`, or the name of the refusal; null: the agent has not answered yet. */
  readonly outcome: string | null;
  readonly message: string | null;
  readonly answeredAt: Date | null;
}

/** The same again is the same order; other content under its id is refused as `cause-reused`. */
export async function insertOrder(
  tx: Kysely<DB>,
  order: Pick<StoredOrder, "orderId" | "hostId" | "ordered" | "orderedAt"> & {
    readonly orderedBy: PartyId;
  },
): Promise<StoredOrder> {
  await tx
    .insertInto("capacityOrder")
    .values({ ...order, ordered: JSON.stringify(order.ordered) })
    .onConflict((conflict) => conflict.column("orderId").doNothing())
    .execute();
  const stored = (await listOrders(tx, order.hostId)).find((one) => one.orderId === order.orderId);
  if (stored && canonicalJson(stored.ordered) === canonicalJson(order.ordered)) return stored;
  throw refusal("cause-reused", { cause: order.orderId });
}

/** Of a host, oldest first. */
export async function listOrders(db: Kysely<DB>, hostId: HostId): Promise<StoredOrder[]> {
  const rows = await db
    .selectFrom("capacityOrder")
    .selectAll()
    .where("hostId", "=", hostId)
    .orderBy("orderId")
    .execute();
  return rows.map((row) => ({
    orderId: row.orderId as Id<"order">,
    hostId: row.hostId as HostId,
    ordered: capacityOrderSchema.parse(row.ordered),
    orderedAt: row.orderedAt,
    outcome: row.outcome,
    message: row.message,
    answeredAt: row.answeredAt,
  }));
}

/** The first answer stays: what was ordered, when this is it. */
export async function answerOrder(
  tx: Kysely<DB>,
  answer: { orderId: string; hostId: HostId; outcome: string; message: string; now: Date },
): Promise<CapacityOrder | undefined> {
  const row = await tx
    .updateTable("capacityOrder")
    .set({ outcome: answer.outcome, message: answer.message, answeredAt: answer.now })
    .where("orderId", "=", answer.orderId)
    .where("hostId", "=", answer.hostId)
    .where("outcome", "is", null)
    .returning("ordered")
    .executeTakeFirst();
  return row && capacityOrderSchema.parse(row.ordered);
}
