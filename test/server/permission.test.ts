import { afterAll, beforeAll, expect, test } from "vitest";
import { buildApp } from "../../src/api/app.ts";
import { createClient } from "../../src/api/client/client.ts";
import { contract, type OperationName } from "../../src/api/contract/contract.ts";
import { HANDLERS } from "../../src/api/handlers.ts";
import { OTHER_PERMISSIONS, PERMISSIONS, type Permission } from "../../src/api/permission.ts";
import { sign } from "../../src/signature/envelope.ts";
import { generateKey } from "../../src/signature/key.ts";
import { enrolFakeHost, type FakeHost } from "./fake-host.ts";
import { startTestServer, type TestServer } from "./harness.ts";

let server: TestServer;
let host: FakeHost;
const keys = new Map<string, string>();
beforeAll(async () => {
  server = await startTestServer();
  for (const role of ["lender", "client", "provider"] as const) {
    const body = { name: `a-${role}`, roles: [role] };
    keys.set(role, (await server.operator.call("addParty", { body })).key);
  }
  const { key } = await server.operator.call("addKey", {
    params: { party: "operator" },
    body: { label: "test" },
  });
  keys.set("operator", key);
  host = await enrolFakeHost(server, server.as(keys.get("lender") ?? ""), "h1");
});
afterAll(() => server.stop());

test("every route has a line in the permission table", async () => {
  const app = await buildApp(server.context);
  const routes = app
    .printRoutes({ commonPrefix: false })
    .split("\n")
    .filter((line) => line.includes("("));
  const seen: string[] = [];
  await app.ready();
  for (const name of Object.keys(contract) as OperationName[]) {
    const op = contract[name];
    expect(PERMISSIONS[name], name).toBeDefined();
    expect(HANDLERS[name], name).toBeDefined();
    expect(app.hasRoute({ method: op.method, url: op.path }), name).toBe(true);
    seen.push(`${op.method} ${op.path}`);
  }
  for (const line of Object.keys(OTHER_PERMISSIONS)) {
    const [method, url] = line.split(" ") as ["GET", string];
    expect(app.hasRoute({ method, url }), line).toBe(true);
    seen.push(line);
  }
  // Fastify answers HEAD for every GET; what it has besides is a route without a line.
  expect(countRoutes(routes)).toBe(seen.length);
  await app.close();
});

function countRoutes(lines: readonly string[]): number {
  return lines.reduce((sum, line) => {
    const methods = /\(([A-Z, ]+)\)/.exec(line)?.[1]?.split(", ") ?? [];
    return sum + methods.filter((method) => method !== "HEAD").length;
  }, 0);
}

const CALLERS = ["nobody", "lender", "client", "provider", "operator", "agent"] as const;

function isLetIn(permission: Permission, caller: (typeof CALLERS)[number]): boolean {
  if (permission === "anyone") return true;
  if (permission === "agent") return caller === "agent";
  if (permission === "known") return caller !== "nobody";
  if (caller === "nobody" || caller === "agent") return false;
  return permission === "party" || (permission as readonly string[]).includes(caller);
}

test.for(Object.keys(contract) as OperationName[])(
  "%s lets in whom the table says",
  async (name) => {
    const op = contract[name];
    for (const caller of CALLERS) {
      const token =
        caller === "agent" ? agentToken() : caller === "nobody" ? undefined : keys.get(caller);
      const answer = await fetch(server.url + op.path.replace(/:[a-zA-Z]+/g, "x"), {
        method: op.method,
        headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
      });
      await answer.arrayBuffer();
      const letIn = isLetIn(PERMISSIONS[name], caller);
      if (letIn) expect([401, 403], `${caller} ${answer.status}`).not.toContain(answer.status);
      else expect([401, 403], `${caller} ${answer.status}`).toContain(answer.status);
    }
  },
);

function agentToken(change: object = {}, key = host.key): string {
  const iat = Math.floor(Date.now() / 1000);
  const aud = server.context.serverId;
  const token = { iss: host.hostId, aud, iat, exp: iat + 60, ...change };
  return sign("sublet-agent-token", token, key);
}

test("an agent's token is refused when it is old, long-lived, for another server or by another key", async () => {
  const call = async (token: string) => {
    const agent = createClient({ url: server.url, authorization: () => token });
    return agent.call("readDesired").then(
      () => "done",
      (error: { code: string }) => error.code,
    );
  };
  const iat = Math.floor(Date.now() / 1000);
  expect(await call(agentToken())).toBe("done");
  for (const token of [
    agentToken({ iat: iat - 3600, exp: iat - 3540 }),
    agentToken({ exp: iat + 86_400 }),
    agentToken({ iat: iat + 3600, exp: iat + 3660 }),
    agentToken({ aud: "server-other" }),
    agentToken({}, generateKey()),
    "nonsense",
    "a.b.c",
  ]) {
    expect(await call(token)).toBe("not-authenticated");
  }
});

test("a revoked key opens nothing", async () => {
  const { keyId, key } = await server.operator.call("addKey", {
    params: { party: "a-client" },
    body: { label: "lost" },
  });
  const client = server.as(key);
  expect((await client.call("whoami")).name).toBe("a-client");
  const first = await server.operator.call("revokeKey", { params: { keyId } });
  await expect(client.call("whoami")).rejects.toMatchObject({ code: "not-authenticated" });
  expect(await server.operator.call("revokeKey", { params: { keyId } })).toEqual(first);
});

test("keys are kept as hashes only", async () => {
  const { rows } = await server.database.pool.query<{ text: string }>(
    "select k::text as text from api_key k",
  );
  for (const { text } of rows) for (const key of keys.values()) expect(text).not.toContain(key);
});

test("an enrolment token joins one agent, who may repeat it after a crash", async () => {
  const lender = server.as(keys.get("lender") ?? "");
  const { joinToken } = await lender.call("addHost", { body: { name: "h2" } });
  const { readJoinToken } = await import("../../src/host/join-token.ts");
  const { capacity } = await import("./fake-host.ts");
  const secret = readJoinToken(joinToken)?.secret ?? "";
  const anyone = createClient({ url: server.url });
  const size = { cpuMilli: 1000, memoryBytes: 2 ** 30, diskBytes: 2 ** 30 };
  const join = (key = generateKey()) => {
    const body = { secret, publicJwk: { ...key.publicJwk }, capacity: capacity(size) };
    return anyone.call("enrolHost", { body });
  };
  const key = generateKey();
  const first = await join(key);
  expect(await join(key)).toEqual(first);
  await expect(join()).rejects.toMatchObject({ code: "enrolment-token-invalid" });
  await expect(lender.call("addHost", { body: { name: "h2" } })).rejects.toMatchObject({
    code: "name-taken",
  });
});
