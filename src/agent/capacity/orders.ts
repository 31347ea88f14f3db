import { z } from "zod";
import type { DesiredState } from "../../api/contract/agent.ts";
import type { CapacityOrder } from "../../enablement/capacity/order.ts";
import { Refusal } from "../../refusal/refusal.ts";
import type { AgentContext, JoinedContext } from "../context.ts";
import { enable } from "./enable.ts";
import { giveBack } from "./give-back.ts";
import { billOnDemand } from "./once.ts";
import { setThreshold } from "./threshold.ts";

/**
 * Does what the host's owner has ordered from elsewhere, as if it had been typed here, and what a
 * provider wants billed. What became of an order is kept, so that an answer that was lost is told
 * again and the order not done twice. A demand is told until its bill has come: without use it
 * changes nothing.
 */
export async function followOrders(
  context: JoinedContext,
  { capacityOrders = [], billNow = [] }: Pick<DesiredState, "capacityOrders" | "billNow">,
): Promise<void> {
  for (const providerId of billNow) await billOnDemand(context, providerId);
  for (const { orderId, ordered } of capacityOrders) {
    const answer = readAnswer(context, orderId) ?? (await follow(context, orderId, ordered));
    await context.server.client.call("answerCapacityOrder", { params: { orderId }, body: answer });
  }
}

interface OrderAnswer {
  /** `done`, or the name of the refusal. */
  readonly outcome: string;
  readonly message: string;
}

async function follow(
  context: AgentContext,
  orderId: string,
  ordered: CapacityOrder,
): Promise<OrderAnswer> {
  const done = await obey(context, ordered);
  const answer =
    done instanceof Refusal
      ? { outcome: done.code, message: done.message }
      : { outcome: "done", message: "" };
  context.log.info({ orderId, kind: ordered.kind, ...answer }, "an order of the owner's");
  context.db
    .prepare("INSERT OR REPLACE INTO capacity_order (order_id, outcome, message) VALUES (?, ?, ?)")
    .run(orderId, answer.outcome, answer.message);
  return answer;
}

function obey(context: AgentContext, ordered: CapacityOrder): Promise<unknown> | unknown {
  switch (ordered.kind) {
    case "enable": {
      const { kind: _, ...wish } = ordered;
      return enable(context, wish);
    }
    case "return":
      return giveBack(context, ordered.of);
    case "threshold":
      return setThreshold(context, ordered);
  }
}

function readAnswer({ db }: AgentContext, orderId: string): OrderAnswer | null {
  const row = db
    .prepare("SELECT outcome, message FROM capacity_order WHERE order_id = ?")
    .get(orderId);
  return row === undefined ? null : answerRow.parse({ ...row });
}

const answerRow = z.object({ outcome: z.string(), message: z.string() });
