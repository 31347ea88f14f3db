import type { Client } from "../../api/client/client.ts";
import type { Response } from "../../api/contract/contract.ts";
import { formatDurationSeconds } from "../../unit/quantity.ts";
import { connect } from "../connect.ts";
import type { Context } from "../context.ts";
import { table } from "../output/table.ts";
import { instant } from "../output/words.ts";
import { verb } from "../verb.ts";
import { quantityText, useText } from "./text.ts";

type Requests = Response<"listOwnCapacity">["requests"];
type Codes = Response<"listOwnCapacity">["codes"];

export const list = verb({
  usage: "list",
  summary: "List requests and codes: for your hosts, or of what you sell.",
  examples: ["sublet capacity list", "sublet capacity list --as provider --json"],
  run: async (context) => {
    const { client } = await connect(context);
    const { roles } = await client.call("whoami");
    const sells = roles.includes("provider");
    // Who is neither is told so by the server, which knows what to do about it.
    const owns = roles.includes("lender") || !sells;
    const own = owns ? await client.call("listOwnCapacity") : null;
    const sold = sells ? await listSold(client) : null;
    const parts = [
      ...(own === null ? [] : [listText(context, own, "PROVIDER")]),
      ...(sold === null ? [] : [listText(context, sold, "CUSTOMER")]),
    ];
    return { json: { own, sold }, text: parts.join("\n\n") };
  },
});

async function listSold(client: Client): Promise<{ requests: Requests; codes: Codes }> {
  const { requests } = await client.call("listCapacityRequests");
  const { codes } = await client.call("listCodes");
  return { requests, codes };
}

function listText(
  context: Context,
  { requests, codes }: { readonly requests: Requests; readonly codes: Codes },
  other: "PROVIDER" | "CUSTOMER",
): string {
  const nameOf = (one: Requests[number] | Codes[number]) =>
    other === "PROVIDER" ? one.provider.name : one.customer.name;
  const requestRows = requests.map((one) => [
    one.requestId,
    one.host.name,
    nameOf(one),
    quantityText(one.resource, one.quantity),
    formatDurationSeconds(one.forSeconds),
    one.state,
    instant(one.createdAt),
  ]);
  const codeRows = codes.map((one) => [
    one.codeId,
    one.host.name,
    nameOf(one),
    quantityText(one.resource, one.quantity),
    useText(one.resource, BigInt(one.resourceTime)),
    instant(one.validity.end),
    claimText(one),
  ]);
  return [
    table(context, ["REQUEST", "HOST", other, "AT ONCE", "FOR", "STATE", "SINCE"], requestRows),
    table(context, ["CODE", "HOST", other, "AT ONCE", "IN ALL", "VALID UNTIL", "CLAIM"], codeRows),
  ].join("\n\n");
}

function claimText({ claimedAt, claimExpiresAt }: Codes[number]): string {
  if (claimedAt !== null) return `used at ${instant(claimedAt)}`;
  return claimExpiresAt === null ? "-" : `open until ${instant(claimExpiresAt)}`;
}
