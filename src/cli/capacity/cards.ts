import { Option } from "commander";
import type { Response } from "../../api/contract/contract.ts";
import { unwrapPasted } from "../../signature/envelope.ts";
import { confirm } from "../confirm.ts";
import { connect } from "../connect.ts";
import type { Context } from "../context.ts";
import { CliError } from "../failure.ts";
import { facts, table } from "../output/table.ts";
import { instant, sizeText } from "../output/words.ts";
import { verb } from "../verb.ts";
import { outputOption, readPaper, written } from "./paper.ts";

export const providerCard = verb<{ output?: string }>({
  usage: "provider-card",
  summary: "Print your signed card as a provider, for owners to pin on their hosts.",
  examples: ["sublet capacity provider-card -o acme.card"],
  more: "Tell owners the thumbprints by another way as well, such as a telephone.",
  options: [outputOption()],
  run: async (context, { output }) => {
    const { client } = await connect(context);
    const card = await client.call("showProviderCard");
    const told = facts([
      ["provider", card.providerId],
      ...card.kids.map((kid): [string, string] => ["key", kid]),
    ]);
    return written(card, card.cardJws, output, told);
  },
});

export const register = verb<{ card: string; customer: string }>({
  usage: "register <card>",
  summary: "Register a host by the card that its agent signed, for who is billed (provider).",
  examples: [
    "sublet capacity register bunker.card --customer acme",
    "sublet capacity register - --customer acme < bunker.card",
  ],
  more: "That the card came from the customer's computer is yours to know: whoever brought it. Codes are issued\nonce the customer has confirmed that the host is its own.",
  options: [new Option("--customer <party>", "whose host it is").makeOptionMandatory()],
  run: async (context, { card, customer }) => {
    const cardJws = unwrapPasted(await readPaper(context, card));
    const { client } = await connect(context);
    const host = await client.call("registerHost", { body: { cardJws, customer } });
    const text = facts([
      ["host", `${host.name} (${host.hostId})`],
      ["customer", host.customer.name],
      ["standby", sizeText(host.standby)],
      ["key", host.key ?? "-"],
      ["reached", host.reached === "registered" ? "by files" : "by its agent"],
      ["confirmed", confirmedText(host)],
    ]);
    return { json: host, text };
  },
});

interface ConfirmInput {
  readonly host?: string;
  readonly yes?: true;
}

export const confirmHost = verb<ConfirmInput>({
  usage: "confirm [host]",
  summary: "Say that a host which a provider registered as yours is yours, and billed to you.",
  examples: ["sublet capacity confirm", "sublet capacity confirm bunker"],
  more: "Without a host it lists those that wait. Compare the key with what `sublet capacity card` says at the\nhost. For a customer who never comes to this server its operator confirms.",
  options: [new Option("--yes", "do not ask")],
  run: async (context, { host: named, yes }) => {
    const { client } = await connect(context);
    const { hosts } = await client.call("listUnconfirmedHosts");
    if (named === undefined) return { json: { hosts }, text: waitingText(context, hosts) };
    const found = oneOf(hosts, named);
    const told = hostText(found);
    if (!yes) {
      context.stderr.write(`${told}\n`);
      if (!(await confirm(context, `Is this host ${found.customer.name}'s, and billed to it?`))) {
        throw new CliError("not-confirmed", "nothing was changed; no code is issued for the host");
      }
    }
    const params = { host: found.hostId };
    const host = await client.call("confirmHost", { params, body: { key: found.key ?? "" } });
    return { json: host, text: hostText(host) };
  },
});

type Hosts = Response<"listUnconfirmedHosts">["hosts"];

function waitingText(context: Context, hosts: Hosts): string {
  if (hosts.length === 0) return "no host waits to be confirmed";
  const rows = hosts.map(({ name, customer, key, hostId }) => [
    name,
    customer.name,
    key ?? "-",
    hostId,
  ]);
  return table(context, ["HOST", "CUSTOMER", "KEY", "ID"], rows);
}

function oneOf(hosts: Hosts, named: string): Hosts[number] {
  const found = hosts.filter(({ name, hostId }) => name === named || hostId === named);
  const [only] = found;
  if (only !== undefined && found.length === 1) return only;
  const message =
    only === undefined
      ? `no host ${named} waits to be confirmed; \`sublet capacity confirm\` shows which do`
      : `${found.length} hosts are called ${named}; give the id of one: ${found.map(({ hostId }) => hostId).join(", ")}`;
  throw new CliError("not-found", message, { what: "host", id: named });
}

function hostText(host: Hosts[number]): string {
  return facts([
    ["host", `${host.name} (${host.hostId})`],
    ["customer", host.customer.name],
    ["key", host.key ?? "-"],
    ["confirmed", confirmedText(host)],
  ]);
}

function confirmedText({ confirmedAt, reached, name }: Hosts[number]): string {
  if (confirmedAt !== null) return instant(confirmedAt);
  return reached === "enrolled"
    ? "by its enrolment"
    : `not yet; the customer types \`sublet capacity confirm ${name}\``;
}
