import { Option } from "commander";
import type { ShownCapacity } from "../../agent/capacity/show.ts";
import { perSecond, quantityText } from "../../enablement/capacity/resource.ts";
import { isId } from "../../unit/id.ts";
import { InputError, parseCpu, parseDurationSeconds } from "../../unit/quantity.ts";
import { requiredAgentOption } from "../agent-socket.ts";
import { connect } from "../connect.ts";
import type { Context, Outcome } from "../context.ts";
import { CliError } from "../failure.ts";
import { duration, named } from "../option/quantity.ts";
import { instant } from "../output/words.ts";
import { verb } from "../verb.ts";
import { agentInstead, askAgent } from "./at-agent.ts";
import { hostInstead, order, placeOf } from "./order.ts";
import { capacityText, type ShownService } from "./show-text.ts";
import { thresholdText } from "./text.ts";

export const show = verb<{ agent: string }>({
  usage: "show",
  summary: "Show what is enabled on this host, where, what is used and left, and until when.",
  examples: ["sublet capacity show --agent /run/sublet/agent.sock"],
  speaksAs: false,
  options: [requiredAgentOption()],
  run: async (context, { agent }) => {
    const ask = { method: "GET", path: "/v1/capacity" };
    const shown = await askAgent<ShownCapacity>(context, agent, ask, "the agent looks");
    return { json: shown, text: capacityText(context, shown) };
  },
});

interface ReturnInput {
  readonly service?: string;
  readonly partition?: string;
  readonly shared?: true;
  readonly agent?: string;
  readonly host?: string;
}

export const giveBack = verb<ReturnInput>({
  usage: "return [service]",
  summary: "Take enabled capacity out of service; what is left of its code can be used later.",
  examples: [
    "sublet capacity return --partition p1 --agent /run/sublet/agent.sock",
    "sublet capacity return --shared --agent /run/sublet/agent.sock",
    "sublet capacity return service_01k9… --host h1",
  ],
  more: "The use until now is to be billed. A guest that does not give it up keeps it and pays on.",
  options: [
    new Option("--partition <name>", "all that was enabled for this partition").conflicts("shared"),
    new Option("--shared", "all that was enabled for the pool"),
    agentInstead(),
    hostInstead().conflicts("agent"),
  ],
  run: async (context, { service, partition, shared, ...where }) => {
    const ways = [service, partition, shared].filter((way) => way !== undefined);
    if (ways.length !== 1) {
      throw new InputError(
        "say what to return: --partition NAME, --shared, or the id of a service",
      );
    }
    const body = returnWish({ service, partition });
    const { host, agent = "" } = placeOf(where);
    if (host !== undefined) return order(context, host, { kind: "return", of: body });
    const look = { method: "GET", path: "/v1/capacity" };
    const before = await askAgent<ShownCapacity>(context, agent, look, "the agent looks");
    const ask = { method: "POST", path: "/v1/capacity/return", body };
    const waiting = "the guest gives it back";
    const { returned } = await askAgent<{ returned: string[] }>(context, agent, ask, waiting);
    const services = before.services.filter(({ serviceId }) => returned.includes(serviceId));
    return { json: { returned }, text: services.map(returnedText).join("\n") };
  },
});

function returnWish({
  service,
  partition,
}: {
  readonly service: string | undefined;
  readonly partition: string | undefined;
}) {
  if (partition !== undefined) return { partition };
  if (service === undefined) return { shared: true as const };
  if (isId("service", service)) return { service };
  throw new InputError(`"${service}" is not the id of a service; copy it whole from what shows it`);
}

function returnedText({ partition, resource, quantity, serviceId }: ShownService): string {
  const what = `${quantityText(resource, quantity)} of ${partition ?? "the pool"}`;
  return `${what} is returned (${serviceId}); its use is to be billed`;
}

export const threshold = verb<{
  partition: string;
  amount: string;
  over?: number;
  agent?: string;
  host?: string;
  provider?: string;
}>({
  usage: "threshold <partition> <amount>",
  summary: "Say what a shared partition may use without charge, from the next period on.",
  examples: [
    "sublet capacity threshold p1 30m --agent /run/sublet/agent.sock",
    "sublet capacity threshold p1 0.5 --over 60s --host h1",
  ],
  more: "30m: so many core-minutes in all of a period. 0.5: so many cores on average over each interval,\nwhere the code compares by rate. Never zero; all of them together fit into the base pool.",
  options: [
    duration("--over <duration>", "of a rate: the interval that the code names; 60s"),
    new Option("--provider <id>", "for whose codes; by default whose capacity the pool has"),
    agentInstead(),
    hostInstead().conflicts("agent"),
  ],
  run: async (context, { partition, amount, over, provider, ...where }) => {
    const wanted = named("amount", () => readThreshold(amount, over));
    const body = { ...ofProvider(provider), partition, threshold: wanted };
    const { host, agent = "" } = placeOf(where);
    if (host !== undefined) return order(context, host, { kind: "threshold", ...body });
    const ask = { method: "POST", path: "/v1/capacity/threshold", body };
    const set = await askAgent<{ from: string }>(context, agent, ask, "the agent looks");
    const text = `${partition}: ${thresholdText(wanted)} without charge, from ${instant(set.from)} on`;
    return { json: { ...body, ...set }, text };
  },
});

function ofProvider(id: string | undefined) {
  if (id === undefined) return {};
  if (isId("party", id)) return { providerId: id };
  throw new InputError(`"${id}" is not the id of a provider; copy it whole from what shows it`);
}

function readThreshold(text: string, over = 60) {
  const isTime = /[smhd]$/.test(text.trim());
  const amount = isTime ? parseDurationSeconds(text) : parseCpu(text);
  if (amount === 0) throw new InputError("a threshold is never zero; write it like 30m or 0.5");
  if (!isTime) return { kind: "rate" as const, cpuMilli: amount, intervalSeconds: over };
  return {
    kind: "allowance" as const,
    milliCoreNs: (BigInt(amount) * perSecond("cpu")).toString(),
  };
}

interface BillNowInput {
  readonly agent?: string;
  readonly provider?: string;
  readonly host?: string;
}

export const billNow = verb<BillNowInput>({
  usage: "bill-now",
  summary: "Have the use until now billed now, and not at the period's end.",
  examples: [
    "sublet capacity bill-now --agent /run/sublet/agent.sock",
    "sublet capacity bill-now --host h1 --as provider",
  ],
  more: "At a host, as its owner; or as its provider with --host, which reaches it by its agent or by its\nnext receipts. The provider bills when the host's report has come.",
  options: [
    new Option("--provider <id>", "only what is used of this provider"),
    new Option("--host <name>", "as provider: a host that you issued codes for"),
    agentInstead().conflicts("host"),
  ],
  run: async (context, { agent, provider, host }) => {
    if (agent === undefined) return demand(context, host);
    const body = provider === undefined ? {} : { providerId: provider };
    const ask = { method: "POST", path: "/v1/capacity/bill-now", body };
    const told = await askAgent<{ bills: number }>(context, agent, ask, "the meters are read");
    const text =
      told.bills === 0
        ? "nothing was used since the last time to bill"
        : "it is time to bill; the next report says so";
    return { json: told, text };
  },
});

async function demand(context: Context, name: string | undefined): Promise<Outcome> {
  if (name === undefined) {
    throw new InputError("say where: --agent SOCKET at the host, or --host NAME as its provider");
  }
  const { client } = await connect(context);
  const { hosts } = await client.call("listCapacityHosts");
  const found = hosts.find((one) => one.name === name || one.hostId === name);
  if (found === undefined) {
    const message = `you have issued no code for a host ${name}; \`sublet capacity list\` shows which there are`;
    throw new CliError("not-found", message, { what: "host", id: name });
  }
  const told = await client.call("demandBill", { params: { host: found.hostId } });
  const how = found.reached === "registered" ? "with its next receipts" : "by its agent";
  return { json: told, text: `${found.name} is asked for it ${how}` };
}
