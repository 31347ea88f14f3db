import { Option } from "commander";
import type { AgentState } from "../../agent/show-state.ts";
import type { Untrusted } from "../../agent/trust/untrust.ts";
import type { HostCard } from "../../enablement/capacity/card.ts";
import { unwrapPasted } from "../../signature/envelope.ts";
import { callAgentSocket, requiredAgentOption } from "../agent-socket.ts";
import { confirm } from "../confirm.ts";
import { CliError } from "../failure.ts";
import { facts } from "../output/table.ts";
import { sizeText } from "../output/words.ts";
import { verb } from "../verb.ts";
import { askAgent } from "./at-agent.ts";
import { outputOption, readPaper, written } from "./paper.ts";

export const card = verb<{ agent: string; output?: string }>({
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
  /** It was trusted before. */
  readonly isTrusted: boolean;
}

export const trust = verb<TrustInput>({
  usage: "trust <file>",
  summary: "Trust the provider of a card: its codes count on this host from now on.",
  examples: ["sublet capacity trust acme.card --agent /run/sublet/agent.sock"],
  more: "Compare the thumbprints with the provider's by another way, such as a telephone. A later card of\nthe same provider adds keys when a key that was pinned before has signed it. One that was untrusted\nis trusted again by any card of its own.",
  speaksAs: false,
  options: [new Option("--yes", "do not ask"), requiredAgentOption()],
  run: async (context, { file, agent, yes }) => {
    const cardJws = unwrapPasted(await readPaper(context, file));
    const judged = await tell(agent, { cardJws, pin: false });
    const text = trustText(judged);
    if (judged.newKids.length === 0 && judged.isTrusted)
      return { json: judged, text: `${text}\nnothing is new in it` };
    if (!yes) {
      context.stderr.write(`${text}\n`);
      if (!(await confirm(context, `Trust ${judged.name} with these keys?`))) {
        throw new CliError("not-confirmed", "nothing was changed; the provider is not trusted");
      }
    }
    return { json: await tell(agent, { cardJws, pin: true }), text: `${text}\npinned` };
  },
});

interface UntrustInput {
  readonly provider: string;
  readonly agent: string;
  readonly yes?: true;
}

export const untrust = verb<UntrustInput>({
  usage: "untrust <provider>",
  summary: "Trust a provider no more: what its codes enabled is returned, and they enable nothing.",
  examples: ["sublet capacity untrust acme --agent /run/sublet/agent.sock"],
  more: "The use until now is to be billed. A leased partition keeps what it has until its lease ends. What\nis left of the codes can be used when the provider is trusted again, with its card.",
  speaksAs: false,
  options: [new Option("--yes", "do not ask"), requiredAgentOption()],
  run: async (context, { provider: wanted, agent, yes }) => {
    const { providers } = (await callAgentSocket(agent, "GET", "/v1/state")) as AgentState;
    const { providerId, name } = findProvider(providers, wanted);
    const question = `Trust ${name} (${providerId}) no more, and return what its codes enabled?`;
    if (!yes && !(await confirm(context, question))) {
      throw new CliError("not-confirmed", "nothing was changed; the provider is trusted as before");
    }
    const body = { providerId };
    const ask = { method: "POST", path: "/v1/capacity/untrust", body };
    const done = await askAgent<Untrusted>(context, agent, ask, "what it enabled is given back");
    return { json: done, text: untrustedText(done) };
  },
});

function findProvider(providers: AgentState["providers"], wanted: string) {
  const found = providers.filter((one) => one.providerId === wanted || one.name === wanted);
  const [first, second] = found;
  if (first !== undefined && second === undefined) return first;
  const ids = (first === undefined ? providers : found).map(
    ({ providerId, name }) => `${name} (${providerId})`,
  );
  const list = ids.length === 0 ? "none" : ids.join(", ");
  const message =
    first === undefined
      ? `no provider ${wanted} is pinned on this host; pinned here: ${list}`
      : `several providers are called ${wanted}; name one by its id: ${list}`;
  throw new CliError("not-found", message, { what: "provider", id: wanted });
}

function untrustedText({ name, returned, kept }: Untrusted): string {
  const many = returned.length === 1 ? "1 service is" : `${returned.length} services are`;
  const kepts = kept.map(
    ({ serviceId, partition, state }) =>
      `${serviceId} of ${partition ?? "the pool"} stays ${state}: ${state === "unreturned" ? "its guest did not give it back" : "until its lease ends"}`,
  );
  return [`${name} is not trusted any more; ${many} returned`, ...kepts].join("\n");
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
