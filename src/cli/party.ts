import { InvalidArgumentError, Option } from "commander";
import type { SentBody } from "../api/contract/contract.ts";
import { connect } from "./connect.ts";
import { facts, table } from "./output/table.ts";
import { type VerbGroup, verb } from "./verb.ts";

type Role = SentBody<"addParty">["roles"][number];

const ROLES: readonly Role[] = ["lender", "client", "provider", "operator"];

const add = verb<{ name: string; role: Role[] }>({
  usage: "add <name>",
  summary: "Add a party and show its first key, once.",
  examples: ["sublet party add acme --role lender --role client"],
  options: [
    new Option("--role <role>", "what it may do; may be given several times")
      .makeOptionMandatory()
      .argParser(addRole),
  ],
  run: async (context, { name, role }) => {
    const { client } = await connect(context);
    const { party, key } = await client.call("addParty", { body: { name, roles: role } });
    const text = `${facts([
      ["party", `${party.name} (${party.partyId})`],
      ["roles", party.roles.join(", ")],
      ["key", key],
    ])}\n\nThe key is shown this once. Its owner types:\n  sublet login ${client.url} --key ${key} --as ${party.name}`;
    return { json: { party, key }, text };
  },
});

const list = verb({
  usage: "list",
  summary: "List all parties.",
  examples: ["sublet party list"],
  run: async (context) => {
    const { client } = await connect(context);
    const found = await client.call("listParties");
    const rows = found.parties.map((party) => [party.name, party.roles.join(", "), party.partyId]);
    return { json: found, text: table(context, ["PARTY", "ROLES", "ID"], rows) };
  },
});

export const partyVerbs: VerbGroup = {
  name: "party",
  summary: "Organisations and people (operator)",
  verbs: [add, list],
};

function addRole(role: string, before: Role[] | undefined): Role[] {
  const known = ROLES.find((one) => one === role);
  if (!known) throw new InvalidArgumentError(`Allowed choices are ${ROLES.join(", ")}.`);
  return [...(before ?? []), known];
}
