import { request } from "node:http";
import { ApiError, problemSchema } from "../api/client/error.ts";
import { AgentError } from "./agent-error.ts";

const TIMEOUT_MS = 10_000;

/**
 * Asks the agent on this computer at its socket. Gives its answer; throws ApiError for a refusal,
 * and AgentError `agent-not-running` when nobody listens there.
 */
export async function callAgent(
  socketPath: string,
  method: string,
  path: string,
  body?: unknown,
  timeoutMs = TIMEOUT_MS,
): Promise<unknown> {
  const answer = await ask({ socketPath, method, path, timeout: timeoutMs }, body);
  const parsed: unknown = JSON.parse(answer.text);
  if (answer.status < 400) return parsed;
  throw new ApiError(problemSchema.parse(parsed));
}

function ask(
  to: { socketPath: string; method: string; path: string; timeout: number },
  body: unknown,
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { "content-type": "application/json" };
    const options = { ...to, headers };
    const sent = request(options, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () =>
        resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString() }),
      );
    });
    sent.on("timeout", () => sent.destroy(new Error("the agent does not answer")));
    sent.on("error", (cause) => reject(notRunning(to.socketPath, cause)));
    sent.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

function notRunning(socketPath: string, cause: Error): AgentError {
  return new AgentError(
    "agent-not-running",
    `no agent answers at ${socketPath} (${cause.message}); start it, or check the path and that it is yours to open`,
    { cause },
  );
}
