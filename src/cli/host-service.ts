import { Option } from "commander";
import type { Response } from "../api/contract/contract.ts";
import { InputError, parseInstant } from "../unit/quantity.ts";
import { agentOption, rotateAgentKey } from "./agent-socket.ts";
import { connect } from "./connect.ts";
import { serviceText, stateText } from "./host-text.ts";
import { named } from "./option/quantity.ts";
import { facts } from "./output/table.ts";
import { verb } from "./verb.ts";

/** Verbs that say when a host takes leases. */

export const drain = verb<{ host: string; undo?: true }>({
  usage: "drain <host>",
  summary: "Let a host take no new leases; those that exist go on.",
  examples: ["sublet host drain attic", "sublet host drain attic --undo"],
  options: [new Option("--undo", "let it take new leases again")],
  run: async (context, { host, undo }) => {
    const { client } = await connect(context);
    const body = { drained: undo !== true };
    const drained = await client.call("drainHost", { params: { host }, body });
    return { json: drained, text: changedText(drained) };
  },
});

interface RemoveInput {
  readonly host: string;
  readonly dead?: true;
  readonly confirm?: string;
}

export const remove = verb<RemoveInput>({
  usage: "remove <host>",
  summary: "Take a host off the market for good. Refused while it has open leases.",
  examples: ["sublet host remove attic", "sublet host remove attic --dead --confirm attic"],
  more: "With --dead its open leases end as failed and are billed on the records that have arrived;\nnothing proves then that they were wiped. Should it come back, it is told so, lets nobody in,\nand wipes them by signed order.",
  options: [
    new Option("--dead", "it is not heard and will not come back: end its leases"),
    new Option("--confirm <name>", "its name once more, with --dead"),
  ],
  run: async (context, { host, dead, confirm }) => {
    const { client } = await connect(context);
    const removed = await client.call("removeHost", {
      params: { host },
      body: { dead: dead === true, ...(confirm === undefined ? {} : { confirmName: confirm }) },
    });
    const ended = removed.endedLeaseIds;
    const leases = ended.length > 0 ? `; these leases ended: ${ended.join(", ")}` : "";
    return { json: removed, text: `${host} (${removed.hostId}) is removed${leases}` };
  },
});

export const rotateKey = verb<{ agent: string }>({
  usage: "rotate-key",
  summary: "Give the agent of this computer a new key; leases that run go on under the old one.",
  examples: ["sublet host rotate-key --agent /var/lib/sublet/agent/agent.sock"],
  more: "Whoever got hold of the old key can no longer speak as this host.",
  options: [agentOption().makeOptionMandatory()],
  run: async (_, { agent }) => rotateAgentKey(agent),
});

interface MaintenanceInput {
  readonly host: string;
  readonly from?: string;
  readonly until?: string;
  readonly off?: true;
}

export const maintenance = verb<MaintenanceInput>({
  usage: "maintenance <host>",
  summary: "Set a time in which a host has no leases. Refused when booked leases overlap it.",
  examples: [
    "sublet host maintenance attic --from 2027-01-31T08:00Z --until 2027-01-31T12:00Z",
    "sublet host maintenance attic",
    "sublet host maintenance attic --off",
  ],
  more: "Without --from it begins now, without --until it lasts until it is lifted.",
  options: [
    new Option("--from <time>", "from when: now+2h, or 2027-01-31T08:00Z").default("now"),
    new Option("--until <time>", "until when"),
    new Option("--off", "lift it"),
  ],
  run: async (context, input) => {
    const { host } = input;
    const { client } = await connect(context);
    const body = { maintenance: periodOf(input, context.clock.now()) };
    const changed = await client.call("setMaintenance", { params: { host }, body });
    return { json: changed, text: changedText(changed) };
  },
});

function periodOf({ from = "now", until, off }: MaintenanceInput, now: Date) {
  if (off) {
    if (until !== undefined) throw new InputError("--off lifts it; leave out --until");
    return null;
  }
  const start = named("--from", () => parseInstant(from, now)).toISOString();
  const end = until === undefined ? null : named("--until", () => parseInstant(until, now));
  return { start, end: end?.toISOString() ?? null };
}

function changedText(host: Response<"drainHost">): string {
  return facts([
    ["host", host.name],
    ["state", stateText(host)],
    ["leases", serviceText(host)],
  ]);
}
