import { Option } from "commander";
import type { Client } from "../api/client/client.ts";
import type { Response } from "../api/contract/contract.ts";
import { InputError } from "../unit/quantity.ts";
import { connect } from "./connect.ts";
import type { Context, Outcome } from "./context.ts";
import { CliError } from "./failure.ts";
import { table } from "./output/table.ts";
import { instant } from "./output/words.ts";
import { plainText } from "./plain-text.ts";
import { verb } from "./verb.ts";

type Target = Response<"listDeliveryTargets">["targets"][number];
type Address = { readonly kind: Target["kind"]; readonly address: string };

interface DeliverInput {
  readonly webhook?: string;
  readonly mail?: string;
  readonly party?: string;
  readonly off?: true;
  readonly renewSecret?: true;
}

export const billDeliverVerb = verb<DeliverInput>({
  usage: "deliver",
  summary: "Say where your bills are sent when they close; without an address, list where.",
  examples: [
    "sublet bill deliver",
    "sublet bill deliver --webhook https://books.example.org/sublet",
    "sublet bill deliver --mail bills@example.org",
    "sublet bill deliver --webhook https://books.example.org/sublet --renew-secret",
    "sublet bill deliver --mail bills@example.org --off",
    "sublet bill deliver --mail bills@acme.example --party acme",
  ],
  more: "A webhook is signed with a secret that is shown once; docs/operating/bills-by-webhook-and-mail.md\ntells how it is checked. The operator sets this for any party, a provider for the bills that it makes.",
  options: [
    new Option("--webhook <url>", "by a signed POST to there").conflicts("mail"),
    new Option("--mail <address>", "by mail, with the bill attached"),
    new Option("--party <name>", "of this party (operator, provider)"),
    new Option("--off", "no longer there").conflicts("renewSecret"),
    new Option(
      "--renew-secret",
      "another secret for the webhook; the old one counts for a day more",
    ),
  ],
  run: async (context, input) => {
    const address = readAddress(input);
    const { client } = await connect(context);
    if (address === null) return listTargets(context, client);
    if (input.off) return turnOff(client, address, input.party);
    if (input.renewSecret) return renew(client, address, input.party);
    const { party } = input;
    const body = { ...address, ...(party === undefined ? {} : { party }) };
    return saidOf(await client.call("setDeliveryTarget", { body }));
  },
});

function readAddress({ webhook, mail, ...input }: DeliverInput): Address | null {
  if (webhook !== undefined) return { kind: "webhook", address: webhook };
  if (mail !== undefined) return { kind: "mail", address: mail };
  if (input.off || input.renewSecret || input.party !== undefined) {
    throw new InputError("say which: give --webhook URL or --mail ADDRESS");
  }
  return null;
}

async function listTargets(context: Context, client: Client): Promise<Outcome> {
  const found = await client.call("listDeliveryTargets");
  const rows = found.targets.map((target) => [
    target.party.name,
    target.seller ? `made by ${target.seller.name}` : "all",
    target.kind,
    plainText(target.address),
    target.disabledAt === null
      ? "on"
      : `off since ${instant(target.disabledAt)}: ${plainText(target.disabledReason ?? "")}`,
  ]);
  const listed = table(context, ["PARTY", "BILLS", "BY", "TO", "STATE"], rows);
  const nothing = "bills are sent nowhere; say where with --webhook URL or --mail ADDRESS";
  return { json: found, text: rows.length > 0 ? listed : nothing };
}

async function turnOff(client: Client, address: Address, party?: string): Promise<Outcome> {
  const { targetId } = await findTarget(client, address, party);
  const json = await client.call("removeDeliveryTarget", { params: { targetId } });
  return { json, text: `bills are no longer sent to ${address.address}` };
}

async function renew(client: Client, address: Address, party?: string): Promise<Outcome> {
  const { targetId } = await findTarget(client, address, party);
  const renewed = await client.call("renewDeliverySecret", { params: { targetId } });
  const { json, text } = saidOf(renewed);
  return { json, text: `${text}\nFor a day messages are signed with the one before, too.` };
}

function saidOf({ target, secret }: Response<"setDeliveryTarget">): Outcome {
  const whose = target.seller ? `${target.seller.name}'s bills of ` : "bills of ";
  const said = `${whose}${target.party.name} are sent to ${plainText(target.address)}`;
  const shown =
    secret === null ? "" : `\n\nThe secret that checks them is shown this once:\n  ${secret}`;
  return { json: { target, secret }, text: `${said}${shown}` };
}

/** By what was typed, as the server keeps it. */
async function findTarget(
  client: Client,
  { kind, address }: Address,
  party: string | undefined,
): Promise<Target> {
  const whose = party ?? (await client.call("whoami")).name;
  const { targets } = await client.call("listDeliveryTargets");
  const written = kind === "webhook" ? (URL.parse(address)?.href ?? address) : address;
  const found = targets.find(
    (one) =>
      one.kind === kind &&
      one.address === written &&
      (one.party.name === whose || one.party.id === whose),
  );
  if (found) return found;
  throw new CliError(
    "not-found",
    `no bills of ${whose} are sent to ${address}; \`sublet bill deliver\` lists where they are`,
    { what: "target", id: address },
  );
}
