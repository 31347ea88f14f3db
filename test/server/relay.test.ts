import { once } from "node:events";
import type { Socket } from "node:net";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import WebSocket from "ws";
import type { RunningAgent } from "../../src/agent/main.ts";
import { type Client, createClient } from "../../src/api/client/client.ts";
import { SOCKET_PERMISSIONS } from "../../src/api/permission.ts";
import type { MemoryDriver } from "../../src/partition/memory/driver.ts";
import { SECRET_BYTES, writeFrame } from "../../src/tunnel/frame.ts";
import { type LeaseId, newId } from "../../src/unit/id.ts";
import { joinedOf } from "../agent/harness.ts";
import { makeTempFolder } from "../setup/temp-folder.ts";
import { type Market, openMarket } from "./fake-host.ts";
import { startTestServer, type TestServer } from "./harness.ts";
import {
  openTunnel,
  pour,
  readyLease,
  type StandIn,
  standIn,
  startRelayedAgent,
} from "./relayed.ts";

const soon = { timeout: 15_000, interval: 20 };
const folder = makeTempFolder("relay");
let server: TestServer;
let market: Market;
let agent: RunningAgent;
let driver: MemoryDriver;
let guest: StandIn;
const echo = (socket: Socket) => void socket.pipe(socket);
let serve = echo;
const cleanups: (() => unknown)[] = [];
beforeAll(async () => {
  server = await startTestServer();
  market = await openMarket(server);
  guest = await standIn((socket) => serve(socket));
  ({ agent, driver } = await startRelayedAgent(market.lender, folder.path, () => guest.port));
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});
afterAll(async () => {
  await agent.stop();
  await guest.close();
  await server.stop();
  folder.remove();
});

async function lease(): Promise<LeaseId> {
  const leaseId = await readyLease(market.client);
  cleanups.push(async () => {
    await market.client.call("endLease", { params: { leaseId } });
    await vi.waitFor(() => expect(driver.guests.has(leaseId)).toBe(false), soon);
  });
  return leaseId;
}

async function ticketFor(leaseId: LeaseId, client = market.client): Promise<string> {
  return (await client.call("openRelay", { params: { leaseId } })).ticket;
}

/** Opens the client's WebSocket as `client`; gives the refusal's code, or `open`. */
async function knock(client: Client, leaseId: string, ticket?: string): Promise<string> {
  return knockAt(`/v1/client/leases/${leaseId}/relay`, {
    ...(await client.headers()),
    "sublet-tunnel": "0".repeat(32),
    ...(ticket === undefined ? {} : { "sublet-ticket": ticket }),
  });
}

function knockAt(path: string, headers: Record<string, string>): Promise<string> {
  const socket = new WebSocket(server.url.replace("http", "ws") + path, { headers });
  cleanups.push(() => socket.terminate());
  return new Promise((resolve, reject) => {
    socket.on("open", () => resolve("open"));
    socket.on("error", reject);
    socket.on("unexpected-response", (_request, response) => {
      let body = "";
      response.on("data", (chunk) => {
        body += chunk;
      });
      response.on("end", () => resolve(body === "" ? "no-route" : JSON.parse(body).code));
    });
  });
}

test("bytes go both ways to the lease's own port, and one direction may end before the other", async () => {
  const leaseId = await lease();
  const tunnel = openTunnel(market.client, leaseId);
  tunnel.input.write("hello ");
  await vi.waitFor(() => expect(tunnel.text()).toBe("hello "), soon);
  tunnel.input.end("world");
  expect(await tunnel.over).toBe("done");
  expect(tunnel.text()).toBe("hello world");
});

test("a ticket opens one connection, of its lease, with its key, and soon", async () => {
  const leaseId = await lease();
  const other = await lease();
  const { client: stranger } = await server.party("stranger", ["client"]);
  const { key } = await server.operator.call("addKey", {
    params: { party: "client" },
    body: { label: "another" },
  });
  expect(await knock(market.client, leaseId)).toBe("ticket-missing");
  expect(await knock(market.client, leaseId, "ticket_nonsense")).toBe("ticket-unknown");
  const ticket = await ticketFor(leaseId);
  expect(await knock(market.client, other, ticket)).toBe("ticket-of-other-lease");
  expect(await knock(stranger, leaseId, ticket)).toBe("ticket-of-other-key");
  // The same party, but not the key that asked for it.
  expect(await knock(server.as(key), leaseId, ticket)).toBe("ticket-of-other-key");
  expect(await knock(market.client, leaseId, ticket)).toBe("open");
  expect(await knock(market.client, leaseId, ticket)).toBe("ticket-used");
  const old = await ticketFor(leaseId);
  await server.database.pool.query(
    "update relay_ticket set created_at = created_at - interval '1 h', expires_at = now() where used_at is null",
  );
  expect(await knock(market.client, leaseId, old)).toBe("ticket-expired");
});

test("of twenty uses of one ticket at once, one opens", async () => {
  const leaseId = await lease();
  const ticket = await ticketFor(leaseId);
  const codes = await Promise.all(
    Array.from({ length: 20 }, () => knock(market.client, leaseId, ticket)),
  );
  expect(codes.filter((code) => code === "open")).toHaveLength(1);
  expect(codes.filter((code) => code === "ticket-used")).toHaveLength(19);
});

test("a ticket is kept as a hash only, has 256 random bits, and is for the client alone", async () => {
  const leaseId = await lease();
  const ticket = await ticketFor(leaseId);
  expect(Buffer.from(ticket.replace("ticket_", ""), "base64url")).toHaveLength(32);
  const { rows } = await server.database.pool.query<{ text: string }>(
    "select t::text as text from relay_ticket t",
  );
  expect(rows.length).toBeGreaterThan(0);
  for (const { text } of rows) expect(text).not.toContain(ticket.slice(7));
  const { client: stranger } = await server.party("nosy", ["client"]);
  for (const nosy of [stranger, market.lender]) {
    await expect(ticketFor(leaseId, nosy)).rejects.toMatchObject({
      code: expect.stringMatching(/^not-(found|permitted)$/),
    });
  }
});

test("every WebSocket lets in whom the table says", async () => {
  const leaseId = await lease();
  const callers: [string, Client][] = [
    ["nobody", createClient({ url: server.url })],
    ["lender", market.lender],
    ["client", market.client],
    ["operator", server.operator],
    ["agent", market.host.agent],
  ];
  for (const [path, permission] of Object.entries(SOCKET_PERMISSIONS)) {
    const concrete = path.replace(":leaseId", leaseId).replace(":joinId", newId("join"));
    for (const [caller, client] of callers) {
      const code = await knockAt(concrete, await client.headers());
      const isIn = permission === "agent" ? caller === "agent" : caller === "client";
      const told = `${caller} at ${path}: ${code}`;
      // Who is let in is then told what is missing.
      if (isIn) expect(["open", "not-found", "ticket-missing"], told).toContain(code);
      else expect(["not-authenticated", "not-permitted"], told).toContain(code);
    }
  }
  expect(await knockAt("/v1/elsewhere", {})).toBe("no-route");
});

test("an agent joins no tunnel but those that were asked of it", async () => {
  const leaseId = await lease();
  const ticket = await ticketFor(leaseId);
  const seen: string[] = [];
  const query = vi.spyOn(agent.context.tunnels, "join").mockImplementation(async (_, hint) => {
    seen.push(hint.joinId);
  });
  cleanups.push(() => query.mockRestore());
  expect(await knock(market.client, leaseId, ticket)).toBe("open");
  await vi.waitFor(() => expect(seen).toHaveLength(1), soon);
  const path = `/v1/agent/tunnels/${seen[0]}`;
  // Another host's agent, which has learnt the id.
  expect(await knockAt(path, await market.host.agent.headers())).toBe("not-found");
  expect(await knockAt(path, await joinedOf(agent.context).server.client.headers())).toBe("open");
  expect(await knockAt(path, await joinedOf(agent.context).server.client.headers())).toBe(
    "not-found",
  );
});

test("a lease that is ended has no way in: the server closes it, whether or not its host has heard", async () => {
  const leaseId = await readyLease(market.client);
  const tunnel = openTunnel(market.client, leaseId);
  tunnel.input.write("x");
  await vi.waitFor(() => expect(tunnel.taken()).toBe(1), soon);
  const ticket = await ticketFor(leaseId);
  // The host is deaf: what closes the tunnel is the server's own knowledge.
  const deaf = vi.spyOn(agent.context.tunnels, "endLease").mockImplementation(() => undefined);
  cleanups.push(() => deaf.mockRestore());
  await market.client.call("endLease", { params: { leaseId } });
  expect(await tunnel.over).toBe("lease-over");
  expect(await knock(market.client, leaseId, ticket)).toBe("lease-not-ready");
  await expect(ticketFor(leaseId)).rejects.toMatchObject({ code: "lease-not-ready" });
  await vi.waitFor(() => expect(guest.connections.size).toBe(0), soon);
  await vi.waitFor(() => expect(driver.guests.has(leaseId)).toBe(false), soon);
});

test("a lease that expires has no way in: its host closes it, also when the server never says so", async () => {
  const leaseId = await readyLease(market.client);
  const tunnel = openTunnel(market.client, leaseId);
  tunnel.input.write("x");
  await vi.waitFor(() => expect(tunnel.taken()).toBe(1), soon);
  expect(agent.context.tunnels.count(leaseId)).toBe(1);
  // The server is deaf to changes of leases; the host goes by the deadline that it holds.
  const deaf = vi.spyOn(server.context.changes, "subscribe").mockReturnValue(() => undefined);
  cleanups.push(() => deaf.mockRestore());
  const other = openTunnel(market.client, leaseId);
  other.input.write("y");
  await vi.waitFor(() => expect(other.taken()).toBe(1), soon);
  agent.context.db
    .prepare("UPDATE lease SET ends_at_ns = ? WHERE lease_id = ?")
    .run(agent.context.clock.monotonicNs().toString(), leaseId);
  expect(await other.over).toBe("lease-over");
  expect(await tunnel.over).toBe("lease-over");
  expect(agent.context.tunnels.count(leaseId)).toBe(0);
  await vi.waitFor(() => expect(driver.guests.has(leaseId)).toBe(false), soon);
});

test("a guest that does not listen is told of by name", async () => {
  const leaseId = await lease();
  const update = agent.context.db.prepare("UPDATE lease SET port = ? WHERE lease_id = ?");
  update.run(1, leaseId);
  expect(await openTunnel(market.client, leaseId).over).toBe("guest-unreachable");
  update.run(guest.port, leaseId);
});

test("whoever opens without end is stopped", async () => {
  const leaseId = await lease();
  const codes: string[] = [];
  for (let i = 0; i < 33; i++) {
    codes.push(await knock(market.client, leaseId, await ticketFor(leaseId)));
  }
  expect(codes.slice(0, 32).every((code) => code === "open")).toBe(true);
  expect(codes[32]).toBe("too-many-tunnels");
});

test("an end that sends and never reads fills no memory of the server's", async () => {
  const leaseId = await lease();
  serve = (slow) => void slow.pause();
  cleanups.push(() => {
    serve = echo;
  });
  const socket = new WebSocket(
    `${server.url.replace("http", "ws")}/v1/client/leases/${leaseId}/relay`,
    {
      headers: {
        ...(await market.client.headers()),
        "sublet-ticket": await ticketFor(leaseId),
        "sublet-tunnel": "f".repeat(32),
      },
    },
  );
  cleanups.push(() => socket.terminate());
  await once(socket, "open");
  const closed = once(socket, "close");
  const secret = Buffer.alloc(SECRET_BYTES);
  socket.send(writeFrame({ kind: "hello", secret, kept: 0, received: 0 }));
  const bytes = Buffer.alloc(32 * 1024);
  // It says that it sends what follows, and takes no notice of any window.
  for (let i = 0; i < 1024 && socket.readyState === socket.OPEN; i++) {
    socket.send(writeFrame({ kind: "data", offset: i * bytes.length, bytes }));
  }
  const [code, reason] = await closed;
  expect([code, String(reason)]).toEqual([4000, "tunnel-garbled"]);
});

test("twenty megabytes there and back at once arrive as they were", async () => {
  const leaseId = await lease();
  const tunnel = openTunnel(market.client, leaseId);
  const sent = await pour(tunnel.input, 20 * 2 ** 20);
  expect(await tunnel.over).toBe("done");
  expect(tunnel.sha256()).toBe(sent);
});
