import { readFile, writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { Option } from "commander";
import type { CapacityRequest, HostCard } from "../enablement/capacity/card.ts";
import { InputError } from "../unit/quantity.ts";
import { callAgentSocket, requiredAgentOption } from "./agent-socket.ts";
import { confirm } from "./confirm.ts";
import type { Outcome } from "./context.ts";
import { CliError } from "./failure.ts";
import { bytes, cpu, duration } from "./option/quantity.ts";
import { facts } from "./output/table.ts";
import { sizeText } from "./output/words.ts";
import { type VerbGroup, verb } from "./verb.ts";

const card = verb<{ agent: string; output?: string }>({
  usage: "card",
  summary: "Print this host's signed card: its key and what it has, for a provider to register it.",
  examples: ["sublet capacity card --agent /run/sublet/agent.sock -o bunker.card"],
  speaksAs: false,
  options: [outputOption(), requiredAgentOption()],
  run: async (_context, { agent, output }) => {
    const answer = await callAgentSocket(agent, "GET", "/v1/capacity/card");
    const made = answer as { card: HostCard; cardJws: string };
    const { hostId, name, standby, agentJwk } = made.card;
    const told = facts([
      ["host", `${name} (${hostId})`],
      ["key", agentJwk.kid ?? "-"],
      ["standby", sizeText(standby)],
    ]);
    return written(made, made.cardJws, output, told);
  },
});

interface TrustInput {
  readonly file: string;
  readonly agent: string;
  readonly yes?: true;
}
interface Judged {
  readonly providerId: string;
  readonly name: string;
  readonly kids: readonly string[];
  readonly newKids: readonly string[];
}

const trust = verb<TrustInput>({
  usage: "trust <file>",
  summary: "Trust the provider of a card: its codes count on this host from now on.",
  examples: ["sublet capacity trust acme.card --agent /run/sublet/agent.sock"],
  more: "Compare the thumbprints with the provider's by another way, such as a telephone. A later card of\nthe same provider adds keys when a key that was pinned before has signed it.",
  speaksAs: false,
  options: [new Option("--yes", "do not ask"), requiredAgentOption()],
  run: async (context, { file, agent, yes }) => {
    const cardJws = await readCard(file);
    const judged = await tell(agent, { cardJws, pin: false });
    const text = trustText(judged);
    if (judged.newKids.length === 0) return { json: judged, text: `${text}\nnothing is new in it` };
    if (!yes) {
      context.stderr.write(`${text}\n`);
      if (!(await confirm(context, `Trust ${judged.name} with these keys?`))) {
        throw new CliError("not-confirmed", "nothing was changed; the provider is not trusted");
      }
    }
    return { json: await tell(agent, { cardJws, pin: true }), text: `${text}\npinned` };
  },
});

interface RequestInput {
  readonly agent: string;
  readonly cpu?: number;
  readonly memory?: number;
  readonly for?: number;
  readonly output?: string;
}

const request = verb<RequestInput>({
  usage: "request",
  summary: "Write a signed request for standby capacity, for a provider to make a code of.",
  examples: [
    "sublet capacity request --cpu 2 --for 30d --agent /run/sublet/agent.sock -o wish.request",
    "sublet capacity request --memory 512MiB --for 7d --agent /run/sublet/agent.sock",
  ],
  speaksAs: false,
  options: [
    cpu("--cpu <cores>", "whole cores"),
    bytes("--memory <size>", "memory, in blocks of 128MiB"),
    duration("--for <duration>", "for so long, if all of it is used: 30d"),
    outputOption(),
    requiredAgentOption(),
  ],
  run: async (_context, input) => {
    const { agent, output, cpu: cpuMilli, memory, for: forSeconds } = input;
    if ((cpuMilli === undefined) === (memory === undefined)) {
      throw new InputError("ask for --cpu or for --memory, one at a time");
    }
    if (forSeconds === undefined) throw new InputError("say for how long with --for, like 30d");
    const resource = cpuMilli === undefined ? "memory" : "cpu";
    const wish = { resource, quantity: cpuMilli ?? memory, forSeconds };
    const answer = await callAgentSocket(agent, "POST", "/v1/capacity/request", wish);
    const made = answer as { request: CapacityRequest; requestJws: string };
    return written(made, made.requestJws, output, made.request.requestId);
  },
});

export const capacityVerbs: VerbGroup = {
  name: "capacity",
  summary: "Standby capacity of this computer, enabled by a provider's code",
  verbs: [card, trust, request],
};

export async function readCard(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    const why = (error as Error).message;
    throw new CliError("card-unreadable", `${file} cannot be read (${why}); check the name`, {
      file,
    });
  }
}

function outputOption(): Option {
  return new Option("-o, --output <file>", "write it there instead of printing it");
}

async function tell(agent: string, body: { cardJws: string; pin: boolean }): Promise<Judged> {
  return (await callAgentSocket(agent, "POST", "/v1/capacity/providers", body)) as Judged;
}

function trustText({ providerId, name, kids, newKids }: Judged): string {
  const marked = kids.map((kid): [string, string] => [
    newKids.includes(kid) ? "new key" : "pinned key",
    kid,
  ]);
  return facts([["provider", `${name} (${providerId})`], ...marked]);
}

/** The signed text alone on stdout, so that it can be piped; or in the file, and said so. */
async function written(
  json: object,
  jws: string,
  output: string | undefined,
  told: string,
): Promise<Outcome> {
  if (output === undefined) return { json, text: jws };
  const path = resolve(output);
  await writeFile(path, `${jws}\n`);
  return { json: { ...json, file: path }, text: `${told}\nwritten to ${path}` };
}
