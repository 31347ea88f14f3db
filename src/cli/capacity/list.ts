import type { Client } from "../../api/client/client.ts";
import type { Response } from "../../api/contract/contract.ts";
import { quantityText, useText } from "../../enablement/capacity/resource.ts";
import { formatDurationSeconds } from "../../unit/quantity.ts";
import { connect } from "../connect.ts";
import type { Context } from "../context.ts";
import { table } from "../output/table.ts";
import { instant } from "../output/words.ts";
import { plainText } from "../plain-text.ts";
import { verb } from "../verb.ts";

type Requests = Response<"listOwnCapacity">["requests"];
type Codes = Response<"listOwnCapacity">["codes"];
type Hosts = Response<"listCapacityHosts">["hosts"];

interface Listed {
  readonly requests: Requests;
  readonly codes: Codes;
  readonly hosts: Hosts;
}

export const list = verb({
  usage: "list",
  summary: "List requests, codes and hosts: your own, or those of what you sell.",
  examples: ["sublet capacity list", "sublet capacity list --as provider --json"],
  run: async (context) => {
    const { client } = await connect(context);
    const { roles } = await client.call("whoami");
    const sells = roles.includes("provider");
    // Who is neither is told so by the server, which knows what to do about it.
    const owns = roles.includes("lender") || !sells;
    const own = owns ? await listOwn(client) : null;
    const { hosts: unconfirmed } = await client.call("listUnconfirmedHosts");
    const sold = sells ? await listSold(client) : null;
    const parts = [
      ...(own === null ? [] : [listText(context, own, "PROVIDER")]),
      ...(sold === null ? [] : [listText(context, sold, "CUSTOMER")]),
      ...unconfirmed.map(
        ({ name, customer }) =>
          `${name} was registered as a host of ${customer.name} and waits for \`sublet capacity confirm ${name}\``,
      ),
    ];
    return { json: { own, sold, unconfirmed }, text: parts.join("\n\n") };
  },
});

async function listOwn(client: Client): Promise<Listed> {
  const { hosts } = await client.call("listOwnCapacityHosts");
  return { ...(await client.call("listOwnCapacity")), hosts };
}

async function listSold(client: Client): Promise<Listed> {
  const { requests } = await client.call("listCapacityRequests");
  const { codes } = await client.call("listCodes");
  const { hosts } = await client.call("listCapacityHosts");
  return { requests, codes, hosts };
}

function listText(
  context: Context,
  { requests, codes, hosts }: Listed,
  other: "PROVIDER" | "CUSTOMER",
): string {
  const nameOf = (one: Requests[number] | Codes[number] | Hosts[number]) =>
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
  const hostRows = hosts.map((one) => [
    one.name,
    nameOf(one),
    outText(one),
    one.reportedUntil === null ? "never" : instant(one.reportedUntil),
    standText(one),
  ]);
  return [
    table(context, ["REQUEST", "HOST", other, "AT ONCE", "FOR", "STATE", "SINCE"], requestRows),
    table(context, ["CODE", "HOST", other, "AT ONCE", "IN ALL", "VALID UNTIL", "CLAIM"], codeRows),
    ...(hostRows.length > 0
      ? [table(context, ["HOST", other, "LEFT OF CODES", "REPORTED", "STATE"], hostRows)]
      : []),
  ].join("\n\n");
}

function claimText({ claimedAt, claimExpiresAt }: Codes[number]): string {
  if (claimedAt !== null) return `used at ${instant(claimedAt)}`;
  return claimExpiresAt === null ? "-" : `open until ${instant(claimExpiresAt)}`;
}

/** Of what was taken in, as far as the host has reported; nothing is guessed. */
function outText({ codes }: Hosts[number]): string {
  const accepted = codes.filter((code) => code.accepted);
  const waiting = codes.length - accepted.length;
  const left = accepted.map(({ resource, left }) => useText(resource, BigInt(left)));
  const also = waiting === 0 ? [] : [`${waiting} not accepted yet`];
  return [...left, ...also].join(", ") || "-";
}

function standText(one: Hosts[number]): string {
  const { overdue, unreturned, untrustedSince, setBack, demandedAt, reached } = one;
  const words = [
    ...(untrustedSince === null ? [] : [`not trusted since ${instant(untrustedSince)}`]),
    ...(overdue ? ["overdue"] : []),
    ...(unreturned.length > 0 ? [`${unreturned.length} not given back`] : []),
    ...setBack.map(({ at, reason }) => `set back at ${instant(at)}: ${plainText(reason)}`),
    ...(demandedAt === null ? [] : ["a bill is asked for"]),
  ];
  return words.join("; ") || (reached === "registered" ? "by files" : "on line");
}
