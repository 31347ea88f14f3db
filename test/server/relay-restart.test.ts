import { readFileSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { RunningAgent } from "../../src/agent/main.ts";
import { type Client, createClient } from "../../src/api/client/client.ts";
import { createDaemon, type Daemon } from "../guest/daemon.ts";
import { makeTempFolder } from "../setup/temp-folder.ts";
import { openMarket } from "./fake-host.ts";
import type { TestServer } from "./harness.ts";
import {
  openTunnel,
  pour,
  readyLease,
  type StandIn,
  standIn,
  startRelayedAgent,
} from "./relayed.ts";

const MIB = 2 ** 20;
const folder = makeTempFolder("relay-restart");
let daemon: Daemon;
let client: Client;
let agent: RunningAgent;
let guest: StandIn;

beforeAll(async () => {
  const data = join(folder.path, "server");
  const listen = `127.0.0.1:${await freePort()}`;
  const argv = ["server", "--data", data, "--listen", listen];
  daemon = createDaemon(argv, join(folder.path, "server.log"));
  const { url, operatorKey } = await daemon.start<{ url: string; operatorKey: string }>();
  const as = (key: string) => createClient({ url, authorization: () => key });
  const operator = as(operatorKey);
  // As the test server in this process, where the market is opened with it.
  const server = {
    ...{ url, operator, as, context: { clock: { now: () => new Date() } } },
    party: async (name: string, roles: readonly "client"[]) => {
      const { party, key } = await operator.call("addParty", { body: { name, roles: [...roles] } });
      return { client: as(key), partyId: party.partyId };
    },
  } as unknown as TestServer;
  const market = await openMarket(server);
  ({ client } = market);
  guest = await standIn((socket) => socket.pipe(socket));
  ({ agent } = await startRelayedAgent(market.lender, folder.path, () => guest.port));
});
afterAll(async () => {
  await agent?.stop();
  await guest?.close();
  await daemon.stop();
  folder.remove();
});

test("200 MB go there and back intact, past a server that is killed twice, and nobody's memory grows by it", async () => {
  const leaseId = await readyLease(client);
  const tunnel = openTunnel(client, leaseId);
  const before = process.memoryUsage();
  const serverBytes: number[] = [];
  let mostBytes = 0;
  const watch = setInterval(() => {
    const { external, heapUsed } = process.memoryUsage();
    mostBytes = Math.max(mostBytes, external + heapUsed - before.external - before.heapUsed);
    const bytes = residentBytes(daemon.pid());
    if (bytes !== undefined) serverBytes.push(bytes);
  }, 100);
  const connections = new Set<Socket | undefined>();
  const poured = pour(tunnel.input, 200 * MIB);
  for (const at of [40 * MIB, 120 * MIB]) {
    await vi.waitFor(() => expect(tunnel.taken()).toBeGreaterThan(at), {
      timeout: 60_000,
      interval: 10,
    });
    const [connection] = guest.connections;
    connections.add(connection);
    await daemon.kill();
    expect(tunnel.taken()).toBeLessThan(200 * MIB);
    await daemon.start();
  }
  expect(await tunnel.over).toBe("done");
  clearInterval(watch);
  expect(tunnel.taken()).toBe(200 * MIB);
  expect(tunnel.sha256()).toBe(await poured);
  // One connection at the guest, all the time: it has noticed nothing.
  expect(connections.size).toBe(1);
  expect(mostBytes / MIB).toBeLessThan(120);
  const idle = serverBytes[0] ?? 0;
  expect((Math.max(...serverBytes) - idle) / MIB).toBeLessThan(120);
});

function residentBytes(pid: number): number | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/status`, "utf8");
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(text)?.[1]) * 1024 || undefined;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const address = server.address();
  await new Promise<void>((closed) => server.close(() => closed()));
  if (address === null || typeof address === "string") throw new Error("no port was given");
  return address.port;
}
