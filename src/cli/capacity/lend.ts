import type { Lent } from "../../agent/capacity/lend.ts";
import { type CodeId, isId } from "../../unit/id.ts";
import { InputError } from "../../unit/quantity.ts";
import type { Context } from "../context.ts";
import { verb } from "../verb.ts";
import { agentInstead, askAgent } from "./at-agent.ts";
import { findOwnCode, readGivenCode } from "./given-code.ts";
import { hostInstead, order, placeOf } from "./order.ts";

interface LendInput {
  readonly code?: string;
  readonly agent?: string;
  readonly host?: string;
}

export const lend = verb<LendInput>({
  usage: "lend [code]",
  summary: "Lend what a code enables: from now on leases are given it, and nothing else is.",
  examples: [
    "sublet capacity lend h1.code --agent /run/sublet/agent.sock",
    "sublet capacity lend code_01k9… --host h1",
  ],
  more: "The code is accepted if it was not before; one that is in service is returned first. The market\nthen counts what it enables with the host's base, for leases that its resource-time covers whole.\nYou pay the code's provider for what leases use, as for your own use.",
  options: [agentInstead(), hostInstead().conflicts("agent")],
  run: async (context, { code, ...where }) => {
    const { host, agent = "" } = placeOf(where);
    if (host !== undefined) {
      return order(context, host, { kind: "lend", code: await ofServer(context, code) });
    }
    const ask = {
      method: "POST",
      path: "/v1/capacity/lend",
      body: { code: await ofHost(context, code) },
    };
    const lent = await askAgent<Lent>(context, agent, ask, "the agent looks");
    const how = lent.isSoAlready ? "is lent already" : "is lent: leases alone draw on it now";
    return { json: lent, text: `${lent.codeId} ${how}` };
  },
});

/** The host knows its accounts by their ids. */
async function ofHost(context: Context, given: string | undefined) {
  if (given !== undefined && isId("code", given)) return { codeId: given };
  return readGivenCode(context, given);
}

/** What this server has not issued the host knows by its id, if it was accepted there. */
async function ofServer(context: Context, given: string | undefined) {
  if (given === undefined || !isId("code", given)) return readGivenCode(context, given);
  return (await findOwnCode(context, given)) ?? { codeId: given };
}

interface KeepInput {
  readonly code: string;
  readonly agent?: string;
  readonly host?: string;
}

export const keep = verb<KeepInput>({
  usage: "keep <code>",
  summary: "Keep a code that was lent for yourself again, once no lease counts on it.",
  examples: ["sublet capacity keep code_01k9… --host h1"],
  more: "By way of the server, which knows what is booked: no new lease is given any of it from then on.",
  options: [agentInstead(), hostInstead().conflicts("agent")],
  run: async (context, { code, ...where }) => {
    const { host, agent = "" } = placeOf(where);
    const codeId = readId(code);
    if (host !== undefined) return order(context, host, { kind: "keep", codeId });
    const ask = { method: "POST", path: "/v1/capacity/keep", body: { codeId } };
    const kept = await askAgent<Lent>(context, agent, ask, "the agent looks");
    return { json: kept, text: `${kept.codeId} is yours alone again` };
  },
});

function readId(text: string): CodeId {
  if (isId("code", text)) return text;
  throw new InputError(`"${text}" is not the id of a code; copy it whole from what shows it`);
}
