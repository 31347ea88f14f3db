import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type WebSocket, WebSocketServer } from "ws";
import type { JoinedContext } from "../../src/agent/context.ts";
import { type ServerHint, serverHintSchema } from "../../src/api/contract/agent.ts";
import { SECRET_BYTES, writeFrame } from "../../src/tunnel/frame.ts";
import { type LeaseId, newId } from "../../src/unit/id.ts";
import { createRig, desireLease, type Rig } from "./harness.ts";

/** The agent's end of tunnels, against a server that says what it likes. */

const soon = { timeout: 8_000, interval: 20 };
const secret = Buffer.alloc(SECRET_BYTES, 1);
let rig: Rig;
let context: JoinedContext;
let sockets: WebSocketServer;
let leaseId: LeaseId;
let dialled: number;
const cleanups: (() => void)[] = [];

beforeEach(async () => {
  rig = createRig();
  sockets = new WebSocketServer({ port: 0, host: "127.0.0.1" });
  await once(sockets, "listening");
  const started = await rig.start();
  const { port } = sockets.address() as AddressInfo;
  const client = { ...started.server.client, url: `http://127.0.0.1:${port}` };
  context = { ...started, server: { ...started.server, client } };
  ({ leaseId } = desireLease(rig.server, rig.server.grantOf({ seconds: 600 })));
  await rig.rounds(started, 3, 1000);
  dialled = 0;
  const guest = createServer((socket) => {
    dialled += 1;
    socket.on("error", () => socket.destroy());
    cleanups.push(() => socket.destroy());
  }).listen(0, "127.0.0.1");
  await once(guest, "listening");
  cleanups.push(() => guest.close());
  listenAt((guest.address() as AddressInfo).port);
});
afterEach(() => {
  context.ended.abort();
  context.tunnels.close();
  for (const cleanup of cleanups.splice(0)) cleanup();
  sockets.close();
});

function listenAt(port: number): void {
  context.db.prepare("UPDATE lease SET port = ? WHERE lease_id = ?").run(port, leaseId);
}

const tunnelIdOf = (number: number) => number.toString(16).padStart(32, "0");

/** The server asks for a tunnel, and speaks for the client with one frame. */
async function ask(
  change: Partial<Extract<ServerHint, { kind: "tunnel" }>> = {},
  first = writeFrame({ kind: "hello", secret, kept: 0, received: 0 }),
) {
  const joinId = newId("join");
  const hint = { kind: "tunnel", joinId, leaseId, tunnelId: tunnelIdOf(0), ...change } as const;
  const joined = once(sockets, "connection");
  const over = context.tunnels.join(context, hint, "token");
  const [socket, request] = (await joined) as [WebSocket, { url: string }];
  cleanups.push(() => socket.terminate());
  expect(request.url).toBe(`/v1/agent/tunnels/${joinId}`);
  const answer = Promise.race([
    once(socket, "message").then(() => "hello"),
    once(socket, "close").then(([code, reason]) => `${code} ${String(reason)}`),
  ]);
  socket.send(first);
  return { socket, answer: await answer, over };
}

test("it dials its own record's port and answers; a hint that names an address or port is none", async () => {
  expect((await ask()).answer).toBe("hello");
  await vi.waitFor(() => expect(dialled).toBe(1), soon);
  const hint = { kind: "tunnel", joinId: newId("join"), leaseId, tunnelId: tunnelIdOf(1) };
  expect(serverHintSchema.safeParse(hint).success).toBe(true);
  for (const more of [{ port: 22 }, { address: "10.0.0.1" }, { host: "10.0.0.1", port: 80 }]) {
    expect(serverHintSchema.safeParse({ ...hint, ...more }).success).toBe(false);
  }
});

test("it dials nothing for a lease that it does not have, that is not ready, or that is over", async () => {
  expect((await ask({ leaseId: newId("lease") })).answer).toBe("4000 lease-unknown");
  const stage = context.db.prepare("UPDATE lease SET stage = ? WHERE lease_id = ?");
  for (const [now, answer] of [
    ["booted", "4000 lease-not-ready"],
    ["stopping", "4000 lease-over"],
    ["wiped", "4000 lease-over"],
  ] as const) {
    stage.run(now, leaseId);
    expect((await ask()).answer).toBe(answer);
  }
  stage.run("ready", leaseId);
  // Its deadline has passed, and the pass that ends it is still to come.
  rig.clock.pass(601_000);
  expect((await ask()).answer).toBe("4000 lease-over");
  expect(dialled).toBe(0);
});

test("a tunnel is continued by whoever has its secret, for its own lease; what is unknown is not", async () => {
  const first = await ask();
  expect(first.answer).toBe("hello");
  first.socket.terminate();
  await first.over;
  const other = Buffer.alloc(SECRET_BYTES, 2);
  const hello = (from: Buffer, kept = 0) =>
    writeFrame({ kind: "hello", secret: from, kept, received: 0 });
  expect((await ask({}, hello(other))).answer).toBe("4000 tunnel-lost");
  expect((await ask({ tunnelId: tunnelIdOf(2) }, hello(secret, 5))).answer).toBe(
    "4000 tunnel-lost",
  );
  expect((await ask({}, Buffer.from("nonsense"))).answer).toBe("4000 tunnel-garbled");
  expect((await ask()).answer).toBe("hello");
  await vi.waitFor(() => expect(dialled).toBe(1), soon);
});

test("the end of the lease ends its tunnels, whether or not a server is there to hear it", async () => {
  const { socket } = await ask();
  const closed = once(socket, "close");
  expect(context.tunnels.count(leaseId)).toBe(1);
  rig.server.state.isAway = true;
  rig.clock.pass(601_000);
  await rig.round(context);
  const [code, reason] = await closed;
  expect([code, String(reason)]).toEqual([4000, "lease-over"]);
  expect(context.tunnels.count(leaseId)).toBe(0);
});

test("of too many, one whose client has gone gives way, and none that is there", async () => {
  for (let i = 0; i < 32; i++)
    expect((await ask({ tunnelId: tunnelIdOf(i) })).answer).toBe("hello");
  expect((await ask({ tunnelId: tunnelIdOf(32) })).answer).toBe("4000 too-many-tunnels");
  const again = await ask({ tunnelId: tunnelIdOf(7) });
  again.socket.terminate();
  await again.over;
  expect((await ask({ tunnelId: tunnelIdOf(32) })).answer).toBe("hello");
  expect(context.tunnels.count(leaseId)).toBe(32);
});
