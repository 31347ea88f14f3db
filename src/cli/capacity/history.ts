import type { AgentState } from "../../agent/show-state.ts";
import { type Act, actOrigin, type HashedAct, hashAct } from "../../enablement/capacity/act.ts";
import { quantityText } from "../../enablement/capacity/resource.ts";
import { callAgentSocket, requiredAgentOption } from "../agent-socket.ts";
import type { Context } from "../context.ts";
import { CliError } from "../failure.ts";
import { table } from "../output/table.ts";
import { instant } from "../output/words.ts";
import { verb } from "../verb.ts";
import { askAgent } from "./at-agent.ts";
import { thresholdText } from "./text.ts";

interface Told {
  readonly hostId: string;
  readonly acts: readonly HashedAct[];
}

export const history = verb<{ agent: string }>({
  usage: "history",
  summary: "Show every act of enabled capacity on this host, each linked to the one before.",
  examples: ["sublet capacity history --agent /run/sublet/agent.sock"],
  more: "Numbers, links and hashes are checked as they are shown.",
  speaksAs: false,
  options: [requiredAgentOption()],
  run: async (context, { agent }) => {
    const told = await readActs(context, agent);
    const head = checkLinks(told);
    return { json: { ...told, head }, text: historyText(context, told.acts, head) };
  },
});

/** They come some hundred at a time. */
async function readActs(context: Context, agent: string): Promise<Told> {
  const { host } = (await callAgentSocket(agent, "GET", "/v1/state")) as AgentState;
  const acts: HashedAct[] = [];
  for (;;) {
    const body = { fromSeq: acts.length + 1 };
    const ask = { method: "POST", path: "/v1/capacity/history", body };
    const page = await askAgent<Pick<Told, "acts">>(context, agent, ask, "the acts are read");
    acts.push(...page.acts);
    if (page.acts.length === 0) return { hostId: host.hostId, acts };
  }
}

/** The hash of the last act. Refuses, by its number, the first that does not follow the one before. */
export function checkLinks({ hostId, acts }: Told): string {
  let before = actOrigin(hostId);
  for (const [index, { record, hash }] of acts.entries()) {
    const seq = index + 1;
    const wrong =
      record.seq !== seq
        ? `it has the number ${record.seq}`
        : record.hostId !== hostId
          ? `it is of ${record.hostId}`
          : record.previousHash !== before
            ? "it does not follow the one before"
            : hashAct(record) === hash
              ? null
              : "its content has another hash";
    if (wrong !== null) {
      throw new CliError(
        "history-broken",
        `act ${seq} is wrong: ${wrong}; the agent's state was altered or set back, so tell the provider, who has the acts that were reported`,
        { seq },
      );
    }
    before = hash;
  }
  return before;
}

function historyText(context: Context, acts: readonly HashedAct[], head: string): string {
  const rows = acts.map(({ record, hash }) => [
    `${record.seq}`,
    instant(record.at),
    record.act.kind,
    aboutText(record.act),
    hash.slice(0, 12),
  ]);
  const shown = table(context, ["ACT", "AT", "WHAT", "ABOUT", "HASH"], rows);
  return `${shown}\n\n${acts.length} acts, each linked to the one before; the last is ${head.slice(0, 12)}`;
}

function aboutText(act: Act["act"]): string {
  switch (act.kind) {
    case "provider-trusted":
      return `${act.providerId}, ${act.kids.length} keys`;
    case "provider-untrusted":
      return act.providerId;
    case "code-accepted":
    case "code-lent":
    case "code-kept":
      return act.codeId;
    case "service-begun":
      return `${quantityText(act.resource, act.quantity)} for ${act.partition?.name ?? "the pool"}`;
    case "chain-begun":
      return `meter of ${act.partition.name}${act.threshold ? `, above ${thresholdText(act.threshold)}` : ""}`;
    case "service-paused":
      return `${act.serviceId}: ${act.reason}, from ${instant(act.from.at)}`;
    case "service-resumed":
      return act.serviceId;
    case "threshold-set":
      return `${act.partition.name}: ${thresholdText(act.threshold)} from ${instant(act.from)}`;
    case "resource-time-used-up":
      return act.resource;
    case "resource-time-reserved":
      return `${act.codes.map(({ codeId }) => codeId).join(", ")} for ${act.serviceId} of ${act.leaseId}`;
    case "resource-time-freed":
      return act.serviceId;
    case "unreturned":
      return `${act.serviceId}: ${act.reason}`;
    case "service-covered":
      return `${act.serviceId}: covered by another code`;
    case "service-returned":
      return `${act.serviceId}: ${act.reason}${act.means ? ` by ${act.means}` : ""}`;
    case "time-to-bill":
      return `${act.reason}, ${act.chains.length} meters, period to ${instant(act.period.end)}`;
  }
}
