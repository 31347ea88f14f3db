import { Option } from "commander";
import type { AgentState } from "../agent/show-state.ts";
import type { Size } from "../unit/size.ts";
import type { Context, Outcome } from "./context.ts";
import { facts, table } from "./output/table.ts";
import { instant, sizeText } from "./output/words.ts";

/** A command for the agent of this computer itself, with or without a server. */
export function agentOption(): Option {
  return new Option(
    "--agent <socket>",
    "ask the agent on this computer at its local socket instead",
  );
}

export async function showAgentState(context: Context, socket: string): Promise<Outcome> {
  const state = (await callAgentSocket(socket, "GET", "/v1/state")) as AgentState;
  return { json: state, text: stateText(context, state) };
}

/** The agent does it, or refuses by its own knowledge, whatever the server thinks. */
export async function resizeAtAgent(socket: string, name: string, size: Size): Promise<Outcome> {
  const path = `/v1/partitions/${encodeURIComponent(name)}/size`;
  const answer = await callAgentSocket(socket, "PUT", path, size);
  return { json: answer, text: `partition ${name}: ${sizeText(size)}` };
}

/** A new key for the agent; its leases go on under the old one. */
export async function rotateAgentKey(socket: string): Promise<Outcome> {
  const answer = await callAgentSocket(socket, "POST", "/v1/key/rotate");
  const { kid, isInUse } = answer as { kid: string; isInUse: boolean };
  const text = isInUse
    ? `the agent has the new key ${kid}; leases that run go on under the key they were granted under`
    : `the new key ${kid} is stored and takes over when the server answers`;
  return { json: answer, text };
}

function stateText(context: Context, state: AgentState): string {
  const { host, server, partitions, leases, unsent } = state;
  const head = facts([
    ["host", `${host.name} (${host.hostId})`],
    ["server", `${server.url}, ${server.connection} since ${instant(server.since)}`],
    ["reserve", sizeText(host.capacity.reserve)],
    ["base", sizeText(host.capacity.base)],
    ["not sent yet", `${unsent.reports} reports, ${unsent.usageRecords} usage records`],
  ]);
  const partitionRows = partitions.map(({ name, size, cpuMode, lendable, inUse }) => [
    name,
    sizeText(size),
    cpuMode,
    lendable ? "lendable" : "not lendable",
    inUse?.leaseId ?? "-",
  ]);
  const leaseRows = leases.map(({ leaseId, stage, isDelivered, endsAt }) => [
    leaseId,
    stage,
    isDelivered ? "delivered" : "not delivered",
    instant(endsAt),
  ]);
  return [
    head,
    table(context, ["PARTITION", "SIZE", "CPU", "LENDING", "IN USE BY"], partitionRows),
    table(context, ["LEASE", "STAGE", "DELIVERY", "UNTIL"], leaseRows),
  ].join("\n\n");
}

async function callAgentSocket(
  socket: string,
  method: string,
  path: string,
  body?: unknown,
): Promise<unknown> {
  const { callAgent } = await import("../agent/socket-client.ts");
  return callAgent(socket, method, path, body);
}
