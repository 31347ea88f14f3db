import type { WebSocket } from "ws";
import type { ServerContext } from "../api/context.ts";
import { agentHintSchema, type ServerHint } from "../api/contract/agent.ts";
import { getHost, markSeen } from "../host/store.ts";
import type { HostId } from "../unit/id.ts";
import type { SocketRoute } from "./upgrade.ts";

/** Hints are small. */
const MESSAGE_BYTES_MAX = 4096;

/**
 * How a host's agent is reached. Here it is one that is connected to this very server. Where several
 * servers stand over one database it is whichever holds the connection: this is the place for a
 * notification to that one, and for the hint to say at which server the tunnel is to be joined.
 */
export interface AgentReach {
  /** False when the host's agent is not connected. */
  tell(hostId: HostId, hint: ServerHint): boolean;
}

export interface AgentConnections extends AgentReach {
  readonly route: SocketRoute;
  /** Tells the host's agent, where it is connected to this server, how far the desired state is. */
  hint(hostId: string): void;
  /** After a time of deafness: every connected agent is told. */
  hintAll(): void;
}

/** The agents' outbound WebSockets. They carry hints only: what they speak of is read over HTTP. */
export function createAgentConnections(context: ServerContext): AgentConnections {
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
  return {
    hint,
    hintAll: () => {
      for (const hostId of byHost.keys()) hint(hostId);
    },
    tell: (hostId, told) => {
      // Of several the last is the live one: an agent opens another when it gave the first up.
      const socket = [...(byHost.get(hostId) ?? [])].findLast(isOpen);
      socket?.send(JSON.stringify(told));
      return socket !== undefined;
    },
    route: {
      path: "/v1/agent/connection",
      messageBytesMax: MESSAGE_BYTES_MAX,
      accept: async (_request, caller) => {
        if (caller.kind !== "agent") throw new Error("only an agent comes this far");
        const { hostId } = caller.host;
        return (socket) => {
          welcome(context, byHost, hostId, socket);
          hint(hostId);
        };
      },
    },
  };
}

function isOpen(socket: WebSocket): boolean {
  return socket.readyState === socket.OPEN;
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
  const seen = () => {
    markSeen(db.kysely, hostId, clock.now()).catch((error: unknown) => {
      log.warn({ err: error, hostId }, "could not note that a host was seen");
    });
  };
  seen();
  socket.on("message", (data) => {
    if (agentHintSchema.safeParse(parse(String(data))).success) seen();
    else socket.close(1008, "expected an agent's hint");
  });
  socket.on("error", (error) => log.info({ err: error, hostId }, "an agent's connection broke"));
  socket.on("close", () => {
    open.delete(socket);
    if (open.size === 0) byHost.delete(hostId);
    log.info({ hostId }, "an agent disconnected");
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
