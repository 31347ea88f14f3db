import { Option } from "commander";
import type { Size } from "../unit/size.ts";
import type { Outcome } from "./context.ts";
import { sizeText } from "./output/words.ts";

/** A command for the agent of this computer itself, with or without a server. */
export function agentOption(): Option {
  return new Option(
    "--agent <socket>",
    "ask the agent on this computer at its local socket instead",
  );
}

export async function showAgentState(socket: string): Promise<Outcome> {
  const state = await callAgentSocket(socket, "GET", "/v1/state");
  return { json: state, text: JSON.stringify(state, null, 2) };
}

/** The agent does it, or refuses by its own knowledge, whatever the server thinks. */
export async function resizeAtAgent(socket: string, name: string, size: Size): Promise<Outcome> {
  const path = `/v1/partitions/${encodeURIComponent(name)}/size`;
  const answer = await callAgentSocket(socket, "PUT", path, size);
  return { json: answer, text: `partition ${name}: ${sizeText(size)}` };
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
