import { Option } from "commander";
import type { HostCard } from "../../enablement/capacity/card.ts";
import { unwrapPasted } from "../../signature/envelope.ts";
import { callAgentSocket, requiredAgentOption } from "../agent-socket.ts";
import { confirm } from "../confirm.ts";
import { CliError } from "../failure.ts";
import { facts } from "../output/table.ts";
import { sizeText } from "../output/words.ts";
import { verb } from "../verb.ts";
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
}

export const trust = verb<TrustInput>({
  usage: "trust <file>",
  summary: "Trust the provider of a card: its codes count on this host from now on.",
  examples: ["sublet capacity trust acme.card --agent /run/sublet/agent.sock"],
  more: "Compare the thumbprints with the provider's by another way, such as a telephone. A later card of\nthe same provider adds keys when a key that was pinned before has signed it.",
  speaksAs: false,
  options: [new Option("--yes", "do not ask"), requiredAgentOption()],
  run: async (context, { file, agent, yes }) => {
    const cardJws = unwrapPasted(await readPaper(context, file));
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
