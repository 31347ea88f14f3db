import { Option } from "commander";
import type { SentBody } from "../api/contract/contract.ts";
import { InputError } from "../unit/quantity.ts";
import {
  type AgentPartition,
  agentOption,
  cutAtAgent,
  removeAtAgent,
  showAgentState,
} from "./agent-socket.ts";
import { type Connection, connect } from "./connect.ts";
import { CliError } from "./failure.ts";
import { completeSize, isTyped, sizeOptions } from "./option/size.ts";
import { ownGuestVerbs } from "./partition-guest.ts";
import { keptMax, keptMin } from "./partition-limits.ts";
import { type PartitionView, partitionTable, partitionText } from "./partition-text.ts";
import { type VerbGroup, verb } from "./verb.ts";

interface SetInput {
  readonly host: string;
  readonly name?: string;
  readonly agent?: string;
  readonly cpu?: number;
  readonly memory?: number;
  readonly disk?: number;
  readonly minCpu?: number;
  readonly minMemory?: number;
  readonly minDisk?: number;
  readonly maxCpu?: number;
  readonly maxMemory?: number;
  readonly maxDisk?: number;
  readonly lendable?: true;
  readonly notLendable?: true;
  readonly shared?: true;
  readonly dedicated?: true;
}

const set = verb<SetInput>({
  usage: "set <host> [name]",
  summary: "Make a partition of a host, or change it.",
  examples: [
    "sublet partition set attic guest --cpu 1 --memory 512MiB --disk 1GiB --lendable",
    "sublet partition set attic guest --cpu 2",
    "sublet partition set guest --cpu 2 --agent /run/sublet/agent.sock",
  ],
  more: "Host, then partition. What is not typed stays as it is. With --agent the partition's name is enough.",
  options: [
    ...sizeOptions("what it has when no lease says otherwise"),
    ...sizeOptions("the least it may be cut to", "min-"),
    ...sizeOptions("the most it may be cut to", "max-"),
    new Option("--lendable", "it may be lent").conflicts("notLendable"),
    new Option("--not-lendable", "it is never lent (the default)").conflicts("lendable"),
    new Option("--dedicated", "cores of its own (the default)").conflicts("shared"),
    new Option("--shared", "cores shared with other partitions").conflicts("dedicated"),
    agentOption(),
  ],
  run: async (context, input) => {
    const { agent, host, name } = input;
    if (agent !== undefined) {
      return cutAtAgent(agent, name ?? host, (before) => ({
        ...bodyOf(input, before),
        size: completeSize(input, before?.standingSize),
      }));
    }
    if (name === undefined) {
      throw new InputError("say which host and partition: sublet partition set HOST NAME");
    }
    const connection = await connect(context);
    const before = await findPartition(connection, host, name);
    const partition = await connection.client.call("setPartition", {
      params: { host: host, name },
      body: bodyOf(input, before),
    });
    return { json: partition, text: partitionText(partition) };
  },
});

const list = verb<{ agent?: string }>({
  usage: "list",
  summary: "List the partitions of your hosts.",
  examples: ["sublet partition list", "sublet partition list --agent /run/sublet/agent.sock"],
  options: [agentOption()],
  run: async (context, { agent }) => {
    if (agent !== undefined) return showAgentState(context, agent);
    const { client } = await connect(context);
    const found = await client.call("listPartitions");
    return { json: found, text: partitionTable(context, found.partitions) };
  },
});

const show = verb<{ host: string; name: string }>({
  usage: "show <host> <name>",
  summary: "Show a partition: its size, limits, and who uses it until when.",
  examples: ["sublet partition show attic guest"],
  run: async (context, { host, name }) => {
    const partition = await findPartition(await connect(context), host, name);
    if (partition === undefined) {
      throw new CliError(
        "not-found",
        `${host} has no partition ${name}; list what there is with \`sublet partition list\``,
        { what: "partition", id: `${host}/${name}` },
      );
    }
    return { json: partition, text: partitionText(partition) };
  },
});

const remove = verb<{ host: string; name?: string; agent?: string }>({
  usage: "remove <host> [name]",
  summary: "Remove a partition that is neither in use nor booked.",
  examples: [
    "sublet partition remove attic guest",
    "sublet partition remove p1 --agent /run/sublet/agent.sock",
  ],
  more: "With --agent, of a host without a server, the partition's name is enough.",
  options: [agentOption()],
  run: async (context, { host, name, agent }) => {
    if (agent !== undefined) return removeAtAgent(agent, name ?? host);
    if (name === undefined) {
      throw new InputError("say which host and partition: sublet partition remove HOST NAME");
    }
    const { client } = await connect(context);
    const removed = await client.call("removePartition", { params: { host, name } });
    return { json: removed, text: `${host}/${name} is removed` };
  },
});

export const partitionVerbs: VerbGroup = {
  name: "partition",
  summary: "Logical partitions of your hosts (lender)",
  verbs: [set, list, show, remove, ...ownGuestVerbs],
};

async function findPartition({ client }: Connection, host: string, name: string) {
  const { partitions } = await client.call("showHost", { params: { host } });
  return partitions.find((partition) => partition.name === name);
}

type Before = PartitionView | AgentPartition | undefined;

function bodyOf(input: SetInput, before: Before): SentBody<"setPartition"> {
  const size = completeSize(input, before?.standingSize);
  const min = { cpu: input.minCpu, memory: input.minMemory, disk: input.minDisk };
  const max = { cpu: input.maxCpu, memory: input.maxMemory, disk: input.maxDisk };
  const chosenMode = input.shared ? "shared" : input.dedicated ? "dedicated" : before?.cpuMode;
  return {
    lendable: input.lendable ?? (input.notLendable ? false : (before?.lendable ?? false)),
    cpuMode: chosenMode ?? "dedicated",
    size,
    ...(before || isTyped(min)
      ? { min: completeSize(min, before && keptMin(before, size), "min-") }
      : {}),
    ...(before || isTyped(max)
      ? { max: completeSize(max, before && keptMax(before, size), "max-") }
      : {}),
  };
}
