import type { Response } from "../api/contract/contract.ts";
import { InputError } from "../unit/quantity.ts";
import { agentOption, showAgentState } from "./agent-socket.ts";
import { connect } from "./connect.ts";
import type { Context } from "./context.ts";
import { facts, table } from "./output/table.ts";
import { instant, sizeText } from "./output/words.ts";
import { partitionTable } from "./partition-text.ts";
import { type VerbGroup, verb } from "./verb.ts";

type HostView = Response<"showHost">["host"];

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

const list = verb({
  usage: "list",
  summary: "List your hosts.",
  examples: ["sublet host list"],
  run: async (context) => {
    const { client } = await connect(context);
    const found = await client.call("listHosts");
    const rows = found.hosts.map((host) => [
      host.name,
      stateText(host),
      host.state === "expected" ? "-" : sizeText(host.base),
      host.state === "expected" ? "-" : sizeText(host.free),
      host.hostId,
    ]);
    return { json: found, text: table(context, ["HOST", "STATE", "BASE", "FREE", "ID"], rows) };
  },
});

const show = verb<{ name?: string; agent?: string }>({
  usage: "show [name]",
  summary: "Show what a host has, what is free, and its partitions.",
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
  verbs: [add, list, show],
};

function hostText(context: Context, { host, partitions }: Response<"showHost">): string {
  const found = host.facts;
  const known: [string, string][] = found
    ? [
        ["machine", `${host.architecture}, ${found.cpuModel}, Linux ${found.kernel}`],
        ["cores", found.cores.join(",")],
        ["partitions by", `${found.driver} ${found.driverVersion}, ${found.accelerator}`],
        ["", found.acceleratorReason],
        ["shared cpu", found.sharedCpu ? "yes" : "no"],
        ["", found.controlGroupsReason],
      ]
    : [];
  const text = facts([
    ["host", `${host.name} (${host.hostId})`],
    ["lender", host.lender.name],
    ["state", stateText(host)],
    ...known,
    ["reserve", sizeText(host.reserve)],
    ["base", sizeText(host.base)],
    ["standby", sizeText(host.standby)],
    ["free", sizeText(host.free)],
  ]);
  return `${text}\n\n${partitions.length > 0 ? partitionTable(context, partitions) : "no partitions; add one with `sublet partition set`"}`;
}

function stateText(host: HostView): string {
  if (host.state === "expected") return "expected: no agent has joined yet";
  return host.state === "seen" ? "seen" : `late: last seen ${instant(host.seenAt)}`;
}
