import { Option } from "commander";
import { callAgentSocket } from "../agent-socket.ts";
import type { Context } from "../context.ts";
import { progress } from "../output/progress.ts";

/** For verbs that the server does too. */
export function agentInstead(): Option {
  return new Option("--agent <socket>", "at the agent on this computer, without a server");
}

/** A guest takes its time to take a cpu, and longer to give one back. */
const EFFECT_TIMEOUT_MS = 180_000;
/** What is done sooner needs no word. */
const SILENT_MS = 1_000;

/** Asks the agent, and says what is being waited for when that takes more than a second. */
export async function askAgent<T>(
  { stderr, clock }: Pick<Context, "stderr" | "clock">,
  agent: string,
  {
    method,
    path,
    body,
  }: { readonly method: string; readonly path: string; readonly body?: unknown },
  waitingFor: string,
): Promise<T> {
  const shown = progress({ stderr, clock });
  const begun = clock.now().getTime();
  const tell = setInterval(() => {
    shown.update(`${waitingFor} (${Math.floor((clock.now().getTime() - begun) / 1000)} s)`);
  }, SILENT_MS);
  try {
    return (await callAgentSocket(agent, method, path, body, EFFECT_TIMEOUT_MS)) as T;
  } finally {
    clearInterval(tell);
    shown.done();
  }
}
