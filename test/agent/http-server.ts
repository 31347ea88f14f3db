import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";
import type { Client } from "../../src/api/client/client.ts";
import { contract, type OperationName } from "../../src/api/contract/contract.ts";

export interface HttpServer {
  readonly url: string;
  readonly sockets: Set<WebSocket>;
  /** Authorisations that were sent with requests. */
  readonly tokens: Set<string>;
  hint(): void;
  close(): Promise<void>;
}

const AGENT_OPERATIONS: readonly OperationName[] = [
  ...([
    "enrolHost",
    "rotateHostKey",
    "tellTime",
    "reportCapacity",
    "readDesired",
    "report",
    "sendUsage",
  ] as const),
];

type Ask = (name: OperationName, ...input: unknown[]) => Promise<unknown>;

/** Puts the fake server behind real HTTP and a real WebSocket. */
export async function serveHttp(client: Client, port = 0): Promise<HttpServer> {
  const tokens = new Set<string>();
  const sockets = new Set<WebSocket>();
  const serve = async (request: IncomingMessage, response: ServerResponse) => {
    tokens.add(request.headers.authorization ?? "");
    const name = AGENT_OPERATIONS.find(
      (candidate) =>
        contract[candidate].method === request.method && contract[candidate].path === request.url,
    );
    let text = "";
    for await (const chunk of request) text += String(chunk);
    if (name === undefined) {
      const image = await client.fetch(request.url ?? "");
      response.end(Buffer.from(await image.arrayBuffer()));
      return;
    }
    const input = text === "" ? [] : [{ body: JSON.parse(text) }];
    const answer = await (client.call as Ask)(name, ...input);
    response.setHeader("content-type", "application/json").end(JSON.stringify(answer));
  };
  const http = createServer((request, response) => void serve(request, response));
  const upgrades = new WebSocketServer({ server: http, path: "/v1/agent/connection" });
  upgrades.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => http.listen(port, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    ...{ sockets, tokens },
    hint: () => {
      for (const socket of sockets) socket.send('{"kind":"desired","generation":2}');
    },
    close: () => closeAll(http, sockets),
  };
}

async function closeAll(http: Server, sockets: Set<WebSocket>): Promise<void> {
  for (const socket of sockets) socket.terminate();
  http.closeAllConnections();
  await new Promise<void>((resolve) => http.close(() => resolve()));
}
