import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { generateKey } from "../../src/signature/key.ts";

export interface FakeRequest {
  readonly method: string;
  readonly path: string;
  readonly key: string | null;
  readonly body: string;
}
export type Answer =
  | { readonly status?: number; readonly json: unknown }
  | { readonly hangUp: true };
export type Route = (request: FakeRequest, params: readonly string[]) => Answer;

/** A server that answers in the contract's shapes what a test tells it to; it knows no rules. */
export interface FakeServer {
  readonly url: string;
  readonly requests: FakeRequest[];
  /** `GET /v1/leases/*`: a star is one segment. */
  routes: Record<string, Route>;
  serverKeys: unknown[];
  successionJws: string[];
  stop(): Promise<void>;
}

export const PARTY = { partyId: `party_${"0".repeat(22)}`, name: "acme", roles: ["client"] };

export async function startFakeServer(): Promise<FakeServer> {
  const requests: FakeRequest[] = [];
  const fake: FakeServer = {
    url: "",
    requests,
    routes: {},
    serverKeys: [generateKey().publicJwk],
    successionJws: [],
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  const standing: Record<string, Route> = {
    "GET /v1/public/server": () => ({ json: description(fake) }),
    "GET /v1/whoami": ({ key }) => (key === "right" ? { json: PARTY } : notAuthenticated),
  };
  const server = createServer((message, response) => {
    read(message).then(
      (request) => {
        requests.push(request);
        answer({ ...standing, ...fake.routes }, request, response);
      },
      (error: Error) => response.destroy(error),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return Object.assign(fake, { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
}

export function problem(status: number, code: string, detail: string, about = {}): Answer {
  return { status, json: { type: `urn:${code}`, title: code, status, code, detail, about } };
}

const notAuthenticated = problem(401, "not-authenticated", "no valid key was sent");

function description({ serverKeys: keys, successionJws }: FakeServer) {
  return {
    serverId: "server-1",
    version: "0.1.0",
    currency: "EUR",
    minorUnitDigits: 2,
    billingTimeZone: "UTC",
    keys,
    successionJws,
    now: new Date().toISOString(),
  };
}

async function read(message: IncomingMessage): Promise<FakeRequest> {
  let body = "";
  for await (const chunk of message) body += chunk;
  return {
    method: message.method ?? "",
    path: message.url ?? "",
    key: message.headers.authorization?.replace("Bearer ", "") ?? null,
    body,
  };
}

function answer(routes: Record<string, Route>, request: FakeRequest, response: ServerResponse) {
  for (const [pattern, route] of Object.entries(routes)) {
    const expression = new RegExp(`^${pattern.replaceAll("*", "([^/]+)")}$`);
    const match = expression.exec(`${request.method} ${request.path.split("?")[0]}`);
    if (!match) continue;
    const given = route(request, match.slice(1));
    if ("hangUp" in given) response.destroy();
    else send(response, given);
    return;
  }
  send(response, problem(404, "route-not-found", `there is nothing at ${request.path}`));
}

function send(response: ServerResponse, given: Answer) {
  if ("hangUp" in given) return;
  response.writeHead(given.status ?? 200, { "content-type": "application/json" });
  response.end(JSON.stringify(given.json));
}
