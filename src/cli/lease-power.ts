import { Option } from "commander";
import type { LeaseView } from "../api/contract/view.ts";
import type { PowerState } from "../enablement/power.ts";
import { followLease } from "./follow-lease.ts";
import { leaseText } from "./lease-text.ts";
import { connectFor } from "./naming/connect-for.ts";
import { plainText } from "./plain-text.ts";
import { type Verb, verb } from "./verb.ts";

export const powerVerbs: readonly Verb[] = [
  powerVerb("stop", "off", "Power a lease's guest off; it keeps its disk and what it reserves."),
  powerVerb("start", "on", "Power a lease's guest on again, on the same disk."),
  powerVerb("restart", "restart", "Power a lease's guest off and on again."),
];

export const consoleVerb: Verb = verb<{ id: string }>({
  usage: "console <id>",
  summary: "Show the end of what a lease's guest wrote to its console.",
  examples: ["sublet lease console lease_01k9…"],
  more: "At most the last 64 KiB; what would control a terminal is taken out.",
  run: async (context, { id }) => {
    const { client, id: leaseId } = await connectFor(context, "lease", id);
    const found = await client.call("readConsole", { params: { leaseId } });
    const text = plainText(found.text);
    return { json: { leaseId, text }, text: text.trimEnd() };
  },
});

function powerVerb(name: string, state: PowerState, summary: string): Verb {
  return verb<{ id: string; wait?: true }>({
    usage: `${name} <id>`,
    summary,
    examples: [`sublet lease ${name} lease_01k9… --wait`],
    options: [new Option("--wait", "until its host has done it")],
    run: async (context, { id, wait }) => {
      const { client, id: leaseId } = await connectFor(context, "lease", id);
      const { lease } = await client.call("showLease", { params: { leaseId } });
      const generation = lease.power.generation + 1;
      const asked = await client.call("setPower", {
        params: { leaseId },
        body: { state, generation },
      });
      const isDone = (now: LeaseView) =>
        now.power.doneGeneration >= generation || now.state !== "ready";
      const since = new Date(lease.createdAt);
      const last = wait ? await followLease(context, client, leaseId, isDone, since) : asked;
      return { json: last, text: leaseText(last) };
    },
  });
}
