import { z } from "zod";
import type { DesiredState } from "../../api/contract/agent.ts";
import type { CapacityOrder } from "../../enablement/capacity/order.ts";
import { Refusal } from "../../refusal/refusal.ts";
import type { AgentContext, JoinedContext } from "../context.ts";
import { enable } from "./enable.ts";
import { giveBack } from "./give-back.ts";
import { keep as keepCode, lend } from "./lend.ts";
import { answerDemand } from "./once.ts";
import { setThreshold } from "./threshold.ts";

/**
 * Does what the host's owner has ordered from elsewhere, as if it had been typed here, and what a
 * provider wants billed. What became of an order is kept, so that an answer that was lost is told
 * again and the order not done twice. A demand is told until its time to bill has come, and
 * answered once. What fails is asked again, and keeps nothing else back.
 */
export async function followOrders(
  context: JoinedContext,
  { capacityOrders = [], billNow = [] }: Pick<DesiredState, "capacityOrders" | "billNow">,
): Promise<void> {
  for (const { providerId, demandedAt } of billNow) {
    await apart(context, { providerId }, () => answerDemand(context, providerId, demandedAt));
  }
  for (const { orderId, ordered } of capacityOrders) {
    await apart(context, { orderId }, async () => {
      const answer = readAnswer(context, orderId) ?? (await follow(context, orderId, ordered));
      const sent = { params: { orderId }, body: answer };
      await context.server.client.call("answerCapacityOrder", sent);
    });
  }
}

async function apart(
  { log }: AgentContext,
  about: object,
  work: () => Promise<unknown>,
): Promise<void> {
  try {
    await work();
  } catch (error) {
    log.warn({ ...about, err: error }, "what was asked from elsewhere waits for the next time");
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
  // Without a code nothing tells a second time from the first: it is told of, and not done again.
  if (ordered.kind === "enable" && ordered.code === undefined) keep(context, orderId, INTERRUPTED);
  const done = await obey(context, ordered);
  const answer =
    done instanceof Refusal
      ? { outcome: done.code, message: done.message }
      : { outcome: "done", message: "" };
  context.log.info({ orderId, kind: ordered.kind, ...answer }, "an order of the owner's");
  keep(context, orderId, answer);
  return answer;
}

const INTERRUPTED: OrderAnswer = {
  outcome: "interrupted",
  message: "the host stopped in the middle; look at what it has with `sublet capacity show`",
};

function keep({ db }: AgentContext, orderId: string, { outcome, message }: OrderAnswer): void {
  db.prepare(
    "INSERT OR REPLACE INTO capacity_order (order_id, outcome, message) VALUES (?, ?, ?)",
  ).run(orderId, outcome, message);
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
    case "lend":
      return lend(context, ordered.code);
    case "keep":
      return keepCode(context, ordered.codeId);
  }
}

function readAnswer({ db }: AgentContext, orderId: string): OrderAnswer | null {
  const row = db
    .prepare("SELECT outcome, message FROM capacity_order WHERE order_id = ?")
    .get(orderId);
  return row === undefined ? null : answerRow.parse({ ...row });
}

const answerRow = z.object({ outcome: z.string(), message: z.string() });
