import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { AgentOptions } from "../../src/agent/config.ts";
import { type RunningAgent, runAgent } from "../../src/agent/main.ts";
import { verifyBill } from "../../src/billing/verify/verify-bill.ts";
import { transaction } from "../../src/database/transaction.ts";
import { rotateServerKey } from "../../src/enablement/signing-key-store.ts";
import { createMemoryDriver } from "../../src/partition/memory/driver.ts";
import { claimedKid } from "../../src/signature/envelope.ts";
import { importPublicKey } from "../../src/signature/key.ts";
import { type LeaseId, newId } from "../../src/unit/id.ts";
import { MACHINE } from "../agent/harness.ts";
import { runCli } from "../cli/run-cli.ts";
import { testLog } from "../setup/log.ts";
import { makeTempFolder } from "../setup/temp-folder.ts";
import { exportOf } from "./exported.ts";
import { bookingOf, GIB, type Market, offerOf, openMarket } from "./fake-host.ts";
import { codeOf, startTestServer, type TestServer } from "./harness.ts";

const soon = { timeout: 15_000, interval: 50 };
const folder = makeTempFolder("server-key");
const driver = createMemoryDriver();
let server: TestServer;
let market: Market;
let agent: RunningAgent | null = null;

beforeAll(async () => {
  server = await startTestServer();
  market = await openMarket(server);
  const { joinToken } = await market.lender.call("addHost", { body: { name: "attic" } });
  // The token names the first key, and the agent joins when another signs already.
  await rotate();
  await startAgent({ joinToken });
  const params = { host: "attic", name: "lend" };
  const size = { cpuMilli: 1000, memoryBytes: 2 * GIB, diskBytes: 2 * GIB };
  const body = { lendable: true, cpuMode: "dedicated", size, max: { ...size, cpuMilli: 3000 } };
  await market.lender.call("setPartition", { params, body: body as never });
  await market.lender.call("setOffer", { params, body: offerOf({ priceMicrosPerCoreHour: "1" }) });
});
afterAll(async () => {
  await agent?.stop();
  await server.stop();
  folder.remove();
});

async function startAgent(options: Partial<AgentOptions> = {}): Promise<RunningAgent> {
  agent = await runAgent(
    {
      dataFolder: join(folder.path, "agent"),
      runFolder: join(folder.path, "run"),
      ...{ memoryBytes: 8 * GIB, diskBytes: 50 * GIB, cores: "1-3" },
      ...options,
    },
    { driver, machine: MACHINE, log: { ...testLog, debug: testLog.info } },
  );
  return agent;
}

async function rotate(): Promise<string> {
  const retireKid = server.context.keys.current.kid;
  const { kid } = await server.operator.call("rotateServerKey", { body: { retireKid } });
  return kid;
}

async function book(): Promise<LeaseId> {
  const leaseId = newId("lease");
  await market.client.call("bookLease", { params: { leaseId }, body: bookingOf() });
  await server.pass();
  return leaseId;
}
const show = async (leaseId: LeaseId) =>
  (await market.client.call("showLease", { params: { leaseId } })).lease;
const becomes = (leaseId: LeaseId, state: string) =>
  vi.waitFor(async () => {
    await server.pass();
    expect((await show(leaseId)).state).toBe(state);
  }, soon);

async function endedBill(leaseId: LeaseId) {
  await market.client.call("endLease", { params: { leaseId } });
  await vi.waitFor(async () => {
    await server.pass();
    expect((await show(leaseId)).billId).not.toBeNull();
  }, soon);
  return exportOf(market.client, (await show(leaseId)).billId);
}

test("a running agent follows the server's new key, and what the old one signed goes on", async () => {
  const leaseId = await book();
  await becomes(leaseId, "ready");
  const before = server.context.keys.current.kid;
  const after = await rotate();
  expect(after).not.toBe(before);
  // Its extension is signed by the new key, its grant was by the old.
  const params = { leaseId, extensionId: newId("extension") };
  await market.client.call("extendLease", { params, body: { seconds: 3600 } });
  await vi.waitFor(async () => {
    expect((await show(leaseId)).extensions).toMatchObject([{ state: "in-force" }]);
  }, soon);
  const { exported, lease } = await endedBill(leaseId);
  expect(claimedKid(lease.grantJws ?? "")).toBe(before);
  expect(claimedKid(lease.extensionGrantJws?.[0] ?? "")).toBe(after);
  expect(verifyBill(exported).verified).toBe(true);
});

test("an agent that was off line through two rotations follows the chain, and its lease goes on", async () => {
  const leaseId = await book();
  await becomes(leaseId, "ready");
  await agent?.stop();
  await rotate();
  const last = await rotate();
  await startAgent();
  const first = await endedBill(leaseId);
  expect(verifyBill(first.exported).verified).toBe(true);
  const next = await readyLease();
  const { exported, lease } = await endedBill(next);
  expect(claimedKid(lease.grantJws ?? "")).toBe(last);
  expect(verifyBill(exported).verified).toBe(true);
});

test("a bill that an old key sealed still verifies, by the keys that a client pinned before", async () => {
  const pinned = server.context.keys.all.map(importPublicKey);
  const { exported, bill } = await endedBill(await readyLease());
  await rotate();
  const { exported: again } = await exportOf(market.client, bill.billId);
  expect(verifyBill(again, { trustedServerKeys: pinned }).verified).toBe(true);
  expect(again.serverKeys).toHaveLength(exported.serverKeys.length + 1);
});

async function readyLease(): Promise<LeaseId> {
  const leaseId = await book();
  await becomes(leaseId, "ready");
  return leaseId;
}

test("a client that is logged in follows the chain, and refuses a key that nobody let in", async () => {
  const config = join(folder.path, "config");
  const { key } = await server.operator.call("addKey", {
    params: { party: "operator" },
    body: { label: "here" },
  });
  const cli = (...argv: string[]) => runCli(argv, config);
  expect((await cli("login", server.url, "--key", key)).exitCode).toBe(0);
  await rotate();
  const rotated = await cli("key", "rotate-server", "--json");
  expect(JSON.parse(rotated.stdout)).toMatchObject({ kid: server.context.keys.current.kid });
  expect((await cli("whoami")).exitCode).toBe(0);
  // A key that is shown without the word of the one before.
  await rotate();
  const { current, all, successionJws } = server.context.keys;
  server.context.keys.follow({ current, all, successionJws: successionJws.slice(0, -1) });
  const refused = await cli("whoami", "--json");
  expect(JSON.parse(refused.stdout)).toMatchObject({ error: { code: "server-keys-changed" } });
  server.context.keys.follow({ current, all, successionJws });
  expect((await cli("whoami")).exitCode).toBe(0);
});

test("asked twice for the same key there is one rotation, and a stranger's key is refused", async () => {
  const retireKid = server.context.keys.current.kid;
  const ask = (kid: string) =>
    server.operator.call("rotateServerKey", { body: { retireKid: kid } });
  const count = server.context.keys.all.length;
  const answers = await Promise.all([ask(retireKid), ask(retireKid), ask(retireKid)]);
  expect(new Set(answers.map(({ kid }) => kid)).size).toBe(1);
  expect(server.context.keys.all).toHaveLength(count + 1);
  expect(await codeOf(ask("nobody"))).toBe("not-found");
  await expect(
    server.database.pool.query("update signing_key set retired_at = null"),
  ).rejects.toThrow("retired");
});

test("a server follows the rotation that another server of its market has done", async () => {
  const { db, keys, serverId, clock } = server.context;
  const asked = { serverId, retireKid: keys.current.kid, now: clock.now() };
  const done = await transaction(db, (tx) => rotateServerKey(tx, asked));
  expect(keys.current.kid).toBe(asked.retireKid);
  await server.pass();
  expect(keys.current.kid).toBe(done.keys.current.kid);
  await becomes(await readyLease(), "ready");
});
