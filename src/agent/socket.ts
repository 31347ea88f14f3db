import { chmodSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { join } from "node:path";
import { z } from "zod";
import { ApiError, UnreachableError } from "../api/client/error.ts";
import { toProblem } from "../refusal/problem.ts";
import { type Refusal, refusal } from "../refusal/refusal.ts";
import { sizeSchema } from "../unit/schema.ts";
import { listPartitions } from "./allocation/store.ts";
import type { AgentContext } from "./context.ts";
import { beginRotation, rotateKeyOnce } from "./identity/rotate.ts";
import { holderOf } from "./lease/store.ts";
import { agentState } from "./show-state.ts";

export interface LocalSocket {
  readonly path: string;
  close(): Promise<void>;
}

/** A size is three numbers. */
const BODY_BYTES_MAX = 4_096;
/** `sun_path` of Linux holds 108 bytes with its end. */
const SOCKET_PATH_BYTES_MAX = 107;

/**
 * Local commands, for whoever may open the socket: the owner of the agent, by the file's mode.
 *
 * - `GET /v1/state`
 * - `POST /v1/key/rotate`: a new key for this agent; see `identity/rotate.ts`
 * - `PUT /v1/partitions/:name/size`: refused as `partition-in-use` while a lease holds it, whoever
 *   asks (A2.3); else as `managed-by-server`, which alone says how partitions are cut.
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
    reply(response, await answer(context, request));
  } catch (error) {
    context.log.error({ err: error }, "a local command failed");
    if (!response.headersSent)
      reply(response, problem(refusal("internal", { requestId: "agent" })));
  }
}

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

async function answer(context: AgentContext, request: IncomingMessage): Promise<Answer> {
  const { pathname } = new URL(request.url ?? "/", "http://agent");
  if (request.method === "GET" && pathname === "/v1/state") {
    return { status: 200, body: agentState(context) };
  }
  if (request.method === "POST" && pathname === "/v1/key/rotate") return rotateKey(context);
  const name = /^\/v1\/partitions\/([^/]+)\/size$/.exec(pathname)?.[1];
  if (request.method === "PUT" && name !== undefined) {
    const size = sizeSchema.safeParse(await readJson(request));
    if (!size.success) {
      return problem(refusal("invalid-input", { message: z.prettifyError(size.error) }));
    }
    return resize(context, decodeURIComponent(name));
  }
  return problem(refusal("route-not-found", { path: pathname }));
}

/** The new key is stored in any case; without the server it takes over when that answers. */
async function rotateKey(context: AgentContext): Promise<Answer> {
  const { kid } = beginRotation(context);
  try {
    await rotateKeyOnce(context);
    return { status: 200, body: { kid, isInUse: true } };
  } catch (error) {
    if (error instanceof UnreachableError) return { status: 200, body: { kid, isInUse: false } };
    if (!(error instanceof ApiError)) throw error;
    const { code, httpStatus: status, message: detail } = error;
    const type = `urn:sublet:refusal:${code}`;
    return { status, body: { type, title: code.replaceAll("-", " "), status, code, detail } };
  }
}

function resize(context: AgentContext, name: string): Answer {
  const partition = listPartitions(context.db).find((candidate) => candidate.name === name);
  if (partition === undefined) {
    return problem(refusal("not-found", { what: "partition", id: name }));
  }
  const holder = holderOf(context.db, partition.partitionId);
  if (holder !== null) {
    const until = holder.endsAt ?? "its end";
    const about = { partition: name, leaseId: holder.leaseId, until };
    context.log.warn(about, "a change of a partition in use was refused");
    return problem(refusal("partition-in-use", about));
  }
  const { serverUrl } = context.joined;
  return problem(refusal("managed-by-server", { partition: name, serverUrl }));
}

function problem(told: Refusal): Answer {
  return { status: told.httpStatus, body: toProblem(told) };
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
