import { Option } from "commander";
import { unwrapPasted } from "../../signature/envelope.ts";
import { connect } from "../connect.ts";
import { facts } from "../output/table.ts";
import { sizeText } from "../output/words.ts";
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
  more: "That the card came from the customer's computer is yours to know: whoever brought it.",
  options: [new Option("--customer <party>", "whose host it is").makeOptionMandatory()],
  run: async (context, { card, customer }) => {
    const cardJws = unwrapPasted(await readPaper(context, card));
    const { client } = await connect(context);
    const host = await client.call("registerHost", { body: { cardJws, customer } });
    const text = facts([
      ["host", `${host.name} (${host.hostId})`],
      ["customer", host.customer.name],
      ["standby", sizeText(host.standby)],
      ["reached", host.reached === "registered" ? "by files" : "by its agent"],
    ]);
    return { json: host, text };
  },
});
