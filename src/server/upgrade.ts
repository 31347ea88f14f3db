import type { IncomingMessage, Server } from "node:http";
import type { Duplex } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";
import { authenticate, type Caller } from "../api/caller.ts";
import type { ServerContext } from "../api/context.ts";
import { SOCKET_PERMISSIONS } from "../api/permission.ts";
import { problemOf } from "../api/problem.ts";

type SocketPath = keyof typeof SOCKET_PERMISSIONS;

export interface SocketRoute {
  /** One part may be named: `/v1/agent/tunnels/:joinId`. */
  readonly path: SocketPath;
  readonly messageBytesMax: number;
  /** Refuses whoever may not, by name; else gives what is done with the open WebSocket. */
  accept(
    request: IncomingMessage,
    caller: Caller,
    part: string,
  ): Promise<(socket: WebSocket) => void>;
}

export interface Upgrades {
  close(): Promise<void>;
}

const PING_EVERY_MS = 15_000;

/** Lets WebSockets in, each by its permission, as operations are; refuses as they do, with a problem. */
export function acceptUpgrades(
  http: Server,
  context: ServerContext,
  routes: readonly SocketRoute[],
): Upgrades {
  const servers = routes.map((route) => ({
    route,
    pattern: new RegExp(`^${route.path.replace(/:[A-Za-z]+/, "([^/]+)")}$`),
    sockets: new WebSocketServer({ noServer: true, maxPayload: route.messageBytesMax }),
  }));
  const onUpgrade = (request: IncomingMessage, stream: Duplex, head: Buffer) => {
    // Until there is a WebSocket nobody else hears of its breaking.
    stream.once("error", () => stream.destroy());
    const { pathname } = new URL(request.url ?? "/", "http://server");
    const found = servers.find(({ pattern }) => pattern.test(pathname));
    if (found === undefined) return refuse(stream, 404);
    const part = found.pattern.exec(pathname)?.[1] ?? "";
    welcome(context, found.route, request, part).then(
      (use) =>
        found.sockets.handleUpgrade(request, stream, head, (socket) => {
          keepAlive(socket);
          use(socket);
        }),
      (error: unknown) => {
        const { problem, own } = problemOf(error, "upgrade");
        if (own) context.log.error({ err: error }, "could not let a WebSocket in");
        refuse(stream, problem.status, JSON.stringify(problem));
      },
    );
  };
  http.on("upgrade", onUpgrade);
  return {
    close: async () => {
      http.off("upgrade", onUpgrade);
      for (const { sockets } of servers) {
        for (const socket of sockets.clients) socket.close(1012, "the server stops");
        await new Promise<void>((resolve) => sockets.close(() => resolve()));
        for (const socket of sockets.clients) socket.terminate();
      }
    },
  };
}

async function welcome(
  context: ServerContext,
  route: SocketRoute,
  request: IncomingMessage,
  part: string,
): Promise<(socket: WebSocket) => void> {
  const caller = await authenticate(context, request, SOCKET_PERMISSIONS[route.path]);
  return route.accept(request, caller, part);
}

/** One that does not answer is only half there. While it is paused its answers wait as well. */
function keepAlive(socket: WebSocket): void {
  let isAlive = true;
  const ping = setInterval(() => {
    if (!isAlive && !socket.isPaused) socket.terminate();
    isAlive = false;
    if (socket.readyState === socket.OPEN) socket.ping();
  }, PING_EVERY_MS);
  socket.on("pong", () => {
    isAlive = true;
  });
  socket.on("close", () => clearInterval(ping));
}

function refuse(stream: Duplex, httpStatus: number, problem = ""): void {
  const type = problem === "" ? "" : "Content-Type: application/problem+json\r\n";
  const length = Buffer.byteLength(problem);
  stream.end(
    `HTTP/1.1 ${httpStatus} Refused\r\nConnection: close\r\n${type}Content-Length: ${length}\r\n\r\n${problem}`,
  );
}
