import { chmodSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { join } from "node:path";
import { refusal } from "../refusal/refusal.ts";
import type { AgentContext } from "./context.ts";
import { type Answer, problem } from "./local/answer.ts";
import { answerCommand } from "./local/routes.ts";

export interface LocalSocket {
  readonly path: string;
  close(): Promise<void>;
}

/** A file of receipts for a year of reports; all else is far smaller. */
const BODY_BYTES_MAX = 16 * 1024 ** 2;
/** `sun_path` of Linux holds 108 bytes with its end. */
const SOCKET_PATH_BYTES_MAX = 107;

/**
 * Local commands, for whoever may open the socket: the owner of the agent, by the file's mode. What
 * there is to ask stands in `local/routes.ts`.
 */
export async function listenLocally(context: AgentContext): Promise<LocalSocket> {
  const path = join(context.config.dataFolder, "agent.sock");
  if (Buffer.byteLength(path) > SOCKET_PATH_BYTES_MAX) {
    throw new Error(`the path ${path} is too long for a socket; choose a shorter data folder`);
  }
  // The folder is locked by this process, so what is here was left by one that is gone.
  rmSync(path, { force: true });
  const server = createServer((request, response) => void serve(context, request, response));
  const mask = process.umask(0o177);
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(path, resolve);
    });
  } finally {
    process.umask(mask);
  }
  chmodSync(path, 0o600);
  return {
    path,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function serve(
  context: AgentContext,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  try {
    const { pathname } = new URL(request.url ?? "/", "http://agent");
    const asked = { method: request.method ?? "", pathname };
    reply(response, await answerCommand(context, asked, () => readJson(request)));
  } catch (error) {
    context.log.error({ err: error }, "a local command failed");
    if (!response.headersSent)
      reply(response, problem(refusal("internal", { requestId: "agent" })));
  }
}

function reply(response: ServerResponse, { status, body }: Answer): void {
  const type = status >= 400 ? "application/problem+json" : "application/json";
  response.writeHead(status, { "content-type": type });
  response.end(JSON.stringify(body));
}

/** Undefined for what is not JSON, or too long to be meant. */
async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > BODY_BYTES_MAX) return undefined;
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString("utf8"));
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
