import { Option } from "commander";
import { connect } from "./connect.ts";
import { readId } from "./option/id.ts";
import { table } from "./output/table.ts";
import { instant } from "./output/words.ts";
import { type VerbGroup, verb } from "./verb.ts";

const add = verb<{ party: string; label: string }>({
  usage: "add <party>",
  summary: "Make one more key for a party and show it, once.",
  examples: ["sublet key add acme --label laptop"],
  options: [
    new Option(
      "--label <label>",
      "what the key is for, to tell it from others",
    ).makeOptionMandatory(),
  ],
  run: async (context, { party, label }) => {
    const { client } = await connect(context);
    const made = await client.call("addKey", { params: { party }, body: { label } });
    const text = `${made.keyId} of ${party} is shown this once. Its owner types:\n  sublet login ${client.url} --key ${made.key} --as NAME`;
    return { json: made, text };
  },
});

const list = verb<{ party: string }>({
  usage: "list <party>",
  summary: "List a party's keys by their ids (operator).",
  examples: ["sublet key list acme"],
  run: async (context, { party }) => {
    const { client } = await connect(context);
    const found = await client.call("listKeys", { params: { party } });
    const rows = found.keys.map(({ keyId, label, createdAt, revokedAt }) => [
      keyId,
      label,
      instant(createdAt),
      revokedAt === null ? "-" : instant(revokedAt),
    ]);
    return { json: found, text: table(context, ["KEY", "LABEL", "MADE", "REVOKED"], rows) };
  },
});

const revoke = verb<{ id: string }>({
  usage: "revoke <id>",
  summary: "Make a key open nothing from now on.",
  examples: ["sublet key revoke key_01k9…"],
  run: async (context, { id }) => {
    const keyId = readId("key", id);
    const { client } = await connect(context);
    const revoked = await client.call("revokeKey", { params: { keyId } });
    return {
      json: revoked,
      text: `${revoked.keyId} opens nothing since ${instant(revoked.revokedAt)}`,
    };
  },
});

const rotateServer = verb({
  usage: "rotate-server",
  summary: "Let the server sign with a new key from now on (operator).",
  examples: ["sublet key rotate-server"],
  more: "Agents and clients follow by themselves: the key before says so by its signature. What it\nsigned stays good. It is no remedy for a key that was stolen: who has it can sign a successor.",
  run: async (context) => {
    const { client } = await connect(context);
    const { keys } = await client.call("describeServer");
    const retireKid = keys.at(-1)?.kid ?? "";
    const rotated = await client.call("rotateServerKey", { body: { retireKid } });
    const text = `the server signs with ${rotated.kid}; ${retireKid} has let it in and signs no more`;
    return { json: { ...rotated, retiredKid: retireKid }, text };
  },
});

export const keyVerbs: VerbGroup = {
  name: "key",
  summary: "Keys of parties, and of the server (operator)",
  verbs: [add, list, revoke, rotateServer],
};
