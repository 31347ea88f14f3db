import { Option } from "commander";
import type { AgentState } from "../agent/show-state.ts";
import { SIZE_ZERO, type Size } from "../unit/size.ts";
import type { Context, Outcome } from "./context.ts";
import { facts, table } from "./output/table.ts";
import { coresInBase, coresText, instant, sizeText, standbyText } from "./output/words.ts";

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

/** Of verbs that only the agent can do. */
export function requiredAgentOption(): Option {
  const option = new Option("--agent <socket>", "the local socket of the agent on this computer");
  return option.makeOptionMandatory();
}

/** The agent does it, or refuses by its own knowledge, whatever the server thinks. */
export async function cutAtAgent(
  socket: string,
  name: string,
  bodyOf: (before: AgentPartition | undefined) => { readonly size: Size },
): Promise<Outcome> {
  const { partitions } = (await callAgentSocket(socket, "GET", "/v1/state")) as AgentState;
  const body = bodyOf(partitions.find((partition) => partition.name === name));
  const path = `/v1/partitions/${encodeURIComponent(name)}`;
  const answer = await callAgentSocket(socket, "PUT", path, body);
  return { json: answer, text: `partition ${name}: ${sizeText(body.size)}` };
}
export type AgentPartition = AgentState["partitions"][number];

export async function removeAtAgent(socket: string, name: string): Promise<Outcome> {
  const path = `/v1/partitions/${encodeURIComponent(name)}`;
  return { json: await callAgentSocket(socket, "DELETE", path), text: `${name} is removed` };
}

/** The own guest of a partition. */
export function guestPath(partition: string): string {
  return `/v1/partitions/${encodeURIComponent(partition)}/guest`;
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
  const { host, server, partitions, leases, guests, providers, unsent } = state;
  const { reserve, base, standby = SIZE_ZERO, facts: found } = host.capacity;
  const head = facts([
    ["host", `${host.name} (${host.hostId})`],
    [
      "server",
      server === null
        ? "none: this host is alone"
        : `${server.url}, ${server.connection} since ${instant(server.since)}`,
    ],
    ["reserve", sizeText(reserve)],
    ["base", `${sizeText(base)}; ${coresText(coresInBase(found))}`],
    ["standby", standbyText(standby, found.standbyCores)],
    ...providers.map(({ name, kids, isTrusted }): [string, string] => [
      "provider",
      `${name}, ${isTrusted ? kids.join(", ") : "not trusted any more"}`,
    ]),
    ["not sent yet", `${unsent.reports} reports, ${unsent.usageRecords} usage records`],
  ]);
  const partitionRows = partitions.map(({ name, size, cpuMode, lendable, inUse }) => [
    name,
    sizeText(size),
    cpuMode,
    lendable ? "lendable" : "not lendable",
    inUse === null ? "-" : inUse.origin === "own" ? "your own guest" : inUse.leaseId,
  ]);
  const guestRows = guests.map(({ guestId, partition, state: now, image, cores }) => [
    guestId,
    partition ?? "-",
    now,
    image ?? "-",
    cores.join(",") || "-",
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
    table(context, ["OWN GUEST", "PARTITION", "STATE", "IMAGE", "CORES"], guestRows),
    table(context, ["LEASE", "STAGE", "DELIVERY", "UNTIL"], leaseRows),
  ].join("\n\n");
}

export async function callAgentSocket(
  socket: string,
  method: string,
  path: string,
  body?: unknown,
  timeoutMs?: number,
): Promise<unknown> {
  const { callAgent } = await import("../agent/socket-client.ts");
  return callAgent(socket, method, path, body, timeoutMs);
}
