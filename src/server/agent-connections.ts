import type { IncomingMessage, Server } from "node:http";
import type { Duplex } from "node:stream";
import { WebSocket, WebSocketServer } from "ws";
import { authenticate } from "../api/caller.ts";
import type { ServerContext } from "../api/context.ts";
import { agentHintSchema } from "../api/contract/agent.ts";
import { getHost, markSeen } from "../host/store.ts";
import { Refusal } from "../refusal/refusal.ts";
import type { HostId } from "../unit/id.ts";

const PATH = "/v1/agent/connection";
/** Hints are small. */
const MESSAGE_BYTES_MAX = 4096;
const PING_EVERY_MS = 15_000;

export interface AgentConnections {
  /** Tells the host's agent, where it is connected to this server, how far the desired state is. */
  hint(hostId: string): void;
  /** After a time of deafness: every connected agent is told. */
  hintAll(): void;
  close(): Promise<void>;
}

/** The agents' outbound WebSockets. They carry hints only: what they speak of is read over HTTP. */
export function acceptAgents(http: Server, context: ServerContext): AgentConnections {
  const sockets = new WebSocketServer({ noServer: true, maxPayload: MESSAGE_BYTES_MAX });
  const byHost = new Map<string, Set<WebSocket>>();
  const { log } = context;

  const hint = (hostId: string) => {
    const open = byHost.get(hostId);
    if (!open) return;
    getHost(context.db.kysely, hostId as HostId).then(
      ({ desiredGeneration, removedAt }) => {
        // It asks anew, and is then told by name that it was removed.
        if (removedAt) {
          for (const socket of open) socket.close(1008, "the host was removed");
          return;
        }
        const text = JSON.stringify({ kind: "desired", generation: Number(desiredGeneration) });
        for (const socket of open) socket.send(text);
      },
      (error: unknown) => log.warn({ err: error, hostId }, "could not hint an agent"),
    );
  };
  const onUpgrade = (request: IncomingMessage, stream: Duplex, head: Buffer) => {
    if (new URL(request.url ?? "/", "http://agent").pathname !== PATH) {
      refuse(stream, 404);
      return;
    }
    authenticate(context, request, "agent").then(
      (caller) => {
        if (caller.kind !== "agent") throw new Error("only an agent comes this far");
        sockets.handleUpgrade(request, stream, head, (socket) => {
          welcome(context, byHost, caller.host.hostId, socket);
          hint(caller.host.hostId);
        });
      },
      (error: unknown) => {
        if (!(error instanceof Refusal)) log.error({ err: error }, "could not let an agent in");
        refuse(stream, error instanceof Refusal ? error.httpStatus : 503);
      },
    );
  };
  http.on("upgrade", onUpgrade);
  return {
    hint,
    hintAll: () => {
      for (const hostId of byHost.keys()) hint(hostId);
    },
    close: async () => {
      http.off("upgrade", onUpgrade);
      for (const socket of sockets.clients) socket.close(1012, "the server stops");
      await new Promise<void>((resolve) => sockets.close(() => resolve()));
      for (const socket of sockets.clients) socket.terminate();
    },
  };
}

function welcome(
  context: ServerContext,
  byHost: Map<string, Set<WebSocket>>,
  hostId: HostId,
  socket: WebSocket,
): void {
  const { db, clock, log } = context;
  const open = byHost.get(hostId) ?? new Set();
  byHost.set(hostId, open.add(socket));
  log.info({ hostId }, "an agent connected");
  let alive = true;
  const seen = () => {
    alive = true;
    markSeen(db.kysely, hostId, clock.now()).catch((error: unknown) => {
      log.warn({ err: error, hostId }, "could not note that a host was seen");
    });
  };
  const ping = setInterval(() => {
    if (!alive) socket.terminate();
    alive = false;
    if (socket.readyState === WebSocket.OPEN) socket.ping();
  }, PING_EVERY_MS);
  seen();
  socket.on("pong", () => {
    alive = true;
  });
  socket.on("message", (data) => {
    if (agentHintSchema.safeParse(parse(String(data))).success) seen();
    else socket.close(1008, "expected an agent's hint");
  });
  socket.on("error", (error) => log.info({ err: error, hostId }, "an agent's connection broke"));
  socket.on("close", () => {
    clearInterval(ping);
    open.delete(socket);
    if (open.size === 0) byHost.delete(hostId);
    log.info({ hostId }, "an agent disconnected");
  });
}

function refuse(stream: Duplex, httpStatus: number): void {
  stream.end(`HTTP/1.1 ${httpStatus} Refused\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
