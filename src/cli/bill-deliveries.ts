import { Option } from "commander";
import type { Response } from "../api/contract/contract.ts";
import { connect } from "./connect.ts";
import type { Context } from "./context.ts";
import { resolveId } from "./naming/resolve-id.ts";
import { readId } from "./option/id.ts";
import { moreText, type PageInput, pageOptions, pageQuery } from "./option/page.ts";
import { facts, table } from "./output/table.ts";
import { instant } from "./output/words.ts";
import { plainText } from "./plain-text.ts";
import { verb } from "./verb.ts";

type Shown = Response<"showDelivery">;
type Delivery = Shown["delivery"];

interface DeliveriesInput extends PageInput {
  readonly delivery?: string;
  readonly failed?: true;
  readonly bill?: string;
}

export const billDeliveriesVerb = verb<DeliveriesInput>({
  usage: "deliveries [delivery]",
  summary: "List what was sent, waits or failed, newest first; of one, every attempt.",
  examples: [
    "sublet bill deliveries",
    "sublet bill deliveries --failed",
    "sublet bill deliveries delivery_01k9…",
  ],
  options: [
    new Option("--failed", "only those that nobody tries any more"),
    new Option("--bill <id>", "of one bill only"),
    ...pageOptions(),
  ],
  run: async (context, { delivery, failed, bill, ...input }) => {
    if (delivery !== undefined) {
      const deliveryId = readId("delivery", delivery);
      const { client } = await connect(context);
      const shown = await client.call("showDelivery", { params: { deliveryId } });
      return { json: shown, text: shownText(context, shown) };
    }
    const { client } = await connect(context);
    const query = {
      ...pageQuery(input),
      ...(failed ? { state: "failed" as const } : {}),
      ...(bill === undefined ? {} : { billId: await resolveId(client, "bill", bill) }),
    };
    const found = await client.call("listDeliveries", { query });
    const rows = found.deliveries.map((one) => [
      one.deliveryId,
      one.billId,
      one.target.party.name,
      plainText(one.target.address),
      stateText(one),
    ]);
    const listed = table(context, ["DELIVERY", "BILL", "PARTY", "TO", "STATE"], rows);
    const nothing = failed ? "nothing failed" : "nothing was sent";
    const text = rows.length > 0 ? listed : nothing;
    return { json: found, text: `${text}${moreText(found.nextCursor)}` };
  },
});

export const billRedeliverVerb = verb<{ delivery: string }>({
  usage: "redeliver <delivery>",
  summary: "Send a bill once more to where it was sent, under the same message id.",
  examples: ["sublet bill redeliver delivery_01k9…"],
  run: async (context, { delivery }) => {
    const deliveryId = readId("delivery", delivery);
    const { client } = await connect(context);
    const queued = await client.call("redeliver", { params: { deliveryId } });
    const text = `${queued.billId} is sent to ${plainText(queued.target.address)} again; \`sublet bill deliveries ${deliveryId}\` shows what comes of it`;
    return { json: queued, text };
  },
});

function stateText({ state, attempts, dueAt, settledAt, failure }: Delivery): string {
  switch (state) {
    case "delivered":
      return `delivered ${instant(settledAt)}`;
    case "failed":
      return `failed ${instant(settledAt)}: ${plainText(failure ?? "")}`;
    case "queued":
      return attempts === 0 ? "waits" : `waits, ${attempts} tried, next ${instant(dueAt)}`;
  }
}

function shownText(context: Context, { delivery, attempts }: Shown): string {
  const head = facts([
    ["delivery", delivery.deliveryId],
    ["bill", delivery.billId],
    ["party", delivery.target.party.name],
    ["to", `${plainText(delivery.target.address)} (${delivery.target.kind})`],
    ["state", stateText(delivery)],
  ]);
  const rows = attempts.map((attempt) => [
    String(attempt.number),
    instant(attempt.at),
    attempt.outcome,
    attempt.status === null ? "-" : String(attempt.status),
    plainText(attempt.reply),
  ]);
  if (rows.length === 0) return `${head}\n\nnot tried yet`;
  return `${head}\n\n${table(context, ["TRY", "AT", "OUTCOME", "STATUS", "REPLY"], rows)}`;
}
