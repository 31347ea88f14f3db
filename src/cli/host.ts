import { Option } from "commander";
import type { Response } from "../api/contract/contract.ts";
import { InputError } from "../unit/quantity.ts";
import { agentOption, showAgentState } from "./agent-socket.ts";
import { connect } from "./connect.ts";
import type { Context } from "./context.ts";
import { drain, maintenance, remove, rotateKey } from "./host-service.ts";
import { hostText, serviceText, stateText } from "./host-text.ts";
import { table } from "./output/table.ts";
import { instant, sizeText } from "./output/words.ts";
import { type VerbGroup, verb } from "./verb.ts";
import { watchHosts } from "./watch/lists.ts";

const add = verb<{ name: string }>({
  usage: "add <name>",
  summary: "Expect a host; prints what to type on it.",
  examples: ["sublet host add attic"],
  run: async (context, { name }) => {
    const { client } = await connect(context);
    const added = await client.call("addHost", { body: { name } });
    const command = `sublet agent --join ${added.joinToken}`;
    const text = `${added.host.name} (${added.host.hostId}) is expected. On that computer, before ${instant(added.expiresAt)}, type:\n  ${command}`;
    return { json: { ...added, command }, text };
  },
});

const list = verb<{ watch?: true }>({
  usage: "list",
  summary: "List your hosts.",
  examples: ["sublet host list", "sublet host list --watch"],
  options: [new Option("--watch", "go on, and show what changes, until Ctrl-C")],
  run: async (context, { watch }) => {
    const { client } = await connect(context);
    const look = () => client.call("listHosts");
    if (watch) {
      const hosts = async () => (await look()).hosts;
      const stateOf = (host: HostView) => `${stateText(host)}, leases: ${serviceText(host)}`;
      await watchHosts(context, hosts, (found) => hostTable(context, found), stateOf);
      return { json: undefined, text: "" };
    }
    const found = await look();
    return { json: found, text: hostTable(context, found.hosts) };
  },
});

type HostView = Response<"listHosts">["hosts"][number];

function hostTable(context: Context, hosts: readonly HostView[]): string {
  const rows = hosts.map((host) => [
    host.name,
    stateText(host),
    serviceText(host),
    host.state === "expected" ? "-" : sizeText(host.base),
    host.state === "expected" ? "-" : sizeText(host.free),
    host.hostId,
  ]);
  return table(context, ["HOST", "STATE", "LEASES", "BASE", "FREE", "ID"], rows);
}

const show = verb<{ name?: string; agent?: string }>({
  usage: "show [name]",
  summary: "Show what a host has, what is free, its partitions, and what happened to it.",
  examples: ["sublet host show attic", "sublet host show --agent /run/sublet/agent.sock"],
  options: [agentOption()],
  run: async (context, { name, agent }) => {
    if (agent !== undefined) return showAgentState(context, agent);
    if (name === undefined) throw new InputError("say which host: sublet host show NAME");
    const { client } = await connect(context);
    const found = await client.call("showHost", { params: { host: name } });
    return { json: found, text: hostText(context, found) };
  },
});

export const hostVerbs: VerbGroup = {
  name: "host",
  summary: "Computers that you lend (lender)",
  verbs: [add, list, show, drain, maintenance, remove, rotateKey],
};
