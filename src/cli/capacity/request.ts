import { Option } from "commander";
import type { CapacityRequest } from "../../enablement/capacity/card.ts";
import { quantityText, useText } from "../../enablement/capacity/resource.ts";
import { newId } from "../../unit/id.ts";
import { InputError } from "../../unit/quantity.ts";
import { callAgentSocket } from "../agent-socket.ts";
import { connect } from "../connect.ts";
import type { Context, Outcome } from "../context.ts";
import { duration } from "../option/quantity.ts";
import { untilAnswered } from "../until-answered.ts";
import { verb } from "../verb.ts";
import { agentInstead } from "./at-agent.ts";
import { outputOption, written } from "./paper.ts";
import { type Amount, amountOf, amountOptions, type TypedAmount } from "./wish.ts";

interface RequestInput extends TypedAmount {
  readonly host?: string;
  readonly provider?: string;
  readonly for: number;
  readonly agent?: string;
  readonly output?: string;
}

export const request = verb<RequestInput>({
  usage: "request",
  summary: "Ask a provider for a code that enables standby capacity of a host of yours.",
  examples: [
    "sublet capacity request --host h1 --cpu 2 --for 30d",
    "sublet capacity request --host h1 --memory 512MiB --for 7d --provider acme",
    "sublet capacity request --cpu 2 --for 30d --agent /run/sublet/agent.sock -o wish.request",
  ],
  more: "--cpu 2 --for 30d asks for 60 core-days, at most 2 cores at once. With --agent the host signs the\nrequest, for a provider who gets it as a file; a server is not asked.",
  options: [
    new Option("--host <name>", "which host of yours"),
    ...amountOptions(),
    duration("--for <duration>", "for so long, if all of it is used: 30d").makeOptionMandatory(),
    new Option("--provider <name>", "of whom, where there are several"),
    agentInstead().conflicts(["host", "provider"]),
    outputOption("with --agent: write it there instead of printing it"),
  ],
  run: async (context, input) => {
    const amount = amountOf(input);
    if (amount === null) throw new InputError("say how much with --cpu 2 or --memory 512MiB");
    if (input.agent !== undefined) return atAgent(input.agent, amount, input);
    if (input.host === undefined) {
      throw new InputError("say for which host with --host NAME, or ask its agent with --agent");
    }
    return atServer(context, input.host, amount, input);
  },
});

async function atAgent(agent: string, amount: Amount, input: RequestInput): Promise<Outcome> {
  const wish = { ...amount, forSeconds: input.for };
  const answer = await callAgentSocket(agent, "POST", "/v1/capacity/request", wish);
  const made = answer as { request: CapacityRequest; requestJws: string };
  const told = `${made.request.requestId}: ${wishText(amount, input.for)}`;
  return written(made, made.requestJws, input.output, told);
}

async function atServer(
  context: Context,
  host: string,
  amount: Amount,
  { provider, for: forSeconds }: RequestInput,
): Promise<Outcome> {
  const { client } = await connect(context);
  const requestId = newId("request");
  const body = {
    ...{ requestId, host, forSeconds },
    ...amount,
    ...(provider === undefined ? {} : { provider }),
  };
  const send = () => client.call("requestCapacity", { body });
  const again = "sublet capacity list";
  const made = await untilAnswered(context, send, { again, id: requestId });
  const text = `${made.requestId}: asked ${made.provider.name} for ${wishText(amount, forSeconds)} on ${made.host.name}`;
  return { json: made, text };
}

function wishText({ resource, quantity }: Amount, forSeconds: number): string {
  const time = BigInt(quantity) * BigInt(forSeconds) * 1_000_000_000n;
  return `${useText(resource, time)}, at most ${quantityText(resource, quantity)} at once`;
}
