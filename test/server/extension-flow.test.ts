import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { beginRotation, rotateKeyOnce } from "../../src/agent/identity/rotate.ts";
import { type RunningAgent, runAgent } from "../../src/agent/main.ts";
import { verifyBill } from "../../src/billing/verify/verify-bill.ts";
import { createMemoryDriver } from "../../src/partition/memory/driver.ts";
import { claimedKid } from "../../src/signature/envelope.ts";
import { type LeaseId, newId, type OfferId } from "../../src/unit/id.ts";
import { joinedOf, MACHINE } from "../agent/harness.ts";
import { testLog } from "../setup/log.ts";
import { makeTempFolder } from "../setup/temp-folder.ts";
import { exportOf } from "./exported.ts";
import { bookingOf, GIB, type Market, offerOf, openMarket } from "./fake-host.ts";
import { codeOf, startTestServer, type TestServer } from "./harness.ts";

/** Server and agent are real; the guests are in memory. */
const soon = { timeout: 15_000, interval: 50 };
const HOUR = 3600;
const folder = makeTempFolder("extension-flow");
let server: TestServer;
let market: Market;
let agent: RunningAgent;
let carveOfferId: OfferId;
let namedOfferId: OfferId;

beforeAll(async () => {
  server = await startTestServer();
  market = await openMarket(server);
  const { lender } = market;
  const { joinToken } = await lender.call("addHost", { body: { name: "attic" } });
  agent = await runAgent(
    {
      ...{ dataFolder: join(folder.path, "agent"), runFolder: join(folder.path, "run") },
      ...{ joinToken, memoryBytes: 8 * GIB, diskBytes: 50 * GIB, cores: "1-3" },
    },
    { driver: createMemoryDriver(), machine: MACHINE, log: { ...testLog, debug: testLog.info } },
  );
  const max = { cpuMilli: 1000, memoryBytes: 4 * GIB, diskBytes: 4 * GIB };
  const carve = { cpuMode: "dedicated" as const, max };
  const carved = await lender.call("setCarveOffer", {
    params: { host: "attic" },
    body: { ...offerOf(), ...carve } as never,
  });
  carveOfferId = carved.offerId;
  const params = { host: "attic", name: "lend" };
  const size = { cpuMilli: 1000, memoryBytes: GIB, diskBytes: GIB };
  await lender.call("setPartition", { params, body: { lendable: true, ...carve, size } as never });
  namedOfferId = (await lender.call("setOffer", { params, body: offerOf() })).offerId;
});
afterAll(async () => {
  await agent.stop();
  await server.stop();
  folder.remove();
});

const show = async (leaseId: LeaseId) =>
  (await market.client.call("showLease", { params: { leaseId } })).lease;

async function ready(offerId: OfferId): Promise<LeaseId> {
  const leaseId = newId("lease");
  const size = { cpuMilli: 1000, memoryBytes: GIB, diskBytes: GIB };
  const body = { ...bookingOf({ size }), offerId };
  await market.client.call("bookLease", { params: { leaseId }, body });
  await vi.waitFor(async () => {
    await server.pass();
    expect((await show(leaseId)).state).toBe("ready");
  }, soon);
  return leaseId;
}

const extend = (leaseId: LeaseId) =>
  market.client.call("extendLease", {
    params: { leaseId, extensionId: newId("extension") },
    body: { seconds: HOUR },
  });

async function inForce(leaseId: LeaseId, count: number): Promise<void> {
  await vi.waitFor(async () => {
    const { extensions } = await show(leaseId);
    expect(extensions.filter(({ state }) => state === "in-force")).toHaveLength(count);
  }, soon);
}

async function endedBill(leaseId: LeaseId) {
  await market.client.call("endLease", { params: { leaseId } });
  await vi.waitFor(async () => {
    await server.pass();
    expect((await show(leaseId)).billId).not.toBeNull();
  }, soon);
  return exportOf(market.client, (await show(leaseId)).billId);
}

test("a carved lease is extended where the carve has room, to a bill that verifies", async () => {
  const first = await ready(carveOfferId);
  const before = await show(first);
  expect(before.partition.name).not.toBe("lend");
  await extend(first);
  await inForce(first, 1);
  const end = new Date(before.period?.end ?? 0).getTime() + HOUR * 1000;
  expect((await show(first)).period?.end).toBe(new Date(end).toISOString());

  // The core of the carve is promised to another soon after that end.
  const other = newId("lease");
  const size = { cpuMilli: 1000, memoryBytes: GIB, diskBytes: GIB };
  const start = new Date(end + 600_000).toISOString();
  const body = { ...bookingOf({ size, start }), offerId: carveOfferId };
  await market.client.call("bookLease", { params: { leaseId: other }, body });
  expect(await codeOf(extend(first))).toBe("calendar-full");
  await market.client.call("endLease", { params: { leaseId: other } });
  await extend(first);
  await inForce(first, 2);
  const { exported, lease } = await endedBill(first);
  expect(lease.extensionGrantJws).toHaveLength(2);
  expect(verifyBill(exported)).toMatchObject({ verified: true });
  await vi.waitFor(async () => {
    const params = { host: "attic" };
    const { partitions } = await market.lender.call("showHost", { params });
    expect(partitions.map(({ name }) => name)).toEqual(["lend"]);
  }, soon);
});

test("a lease of a host whose key was rotated meanwhile is extended under the key of its grant", async () => {
  const leaseId = await ready(namedOfferId);
  const first = agent.context.keys.current().kid;
  await extend(leaseId);
  await inForce(leaseId, 1);
  const joined = joinedOf(agent.context);
  beginRotation(joined);
  await rotateKeyOnce(joined);
  const second = agent.context.keys.current().kid;
  expect(second).not.toBe(first);
  await extend(leaseId);
  await inForce(leaseId, 2);
  const shown = await show(leaseId);
  expect(claimedKid(shown.accessJws ?? "")).toBe(first);
  const kids = shown.agentKeys?.map(({ jwk }) => jwk.kid);
  expect(kids).toEqual([first, second]);
  expect(claimedKid(shown.agentKeys?.[1]?.rotationJws ?? "")).toBe(first);
  const { exported, lease } = await endedBill(leaseId);
  expect(lease.agentKey?.kid).toBe(first);
  expect(claimedKid(lease.wipeReceiptJws ?? "")).toBe(first);
  expect(verifyBill(exported)).toMatchObject({ verified: true });
  const next = await ready(namedOfferId);
  expect(claimedKid((await show(next)).accessJws ?? "")).toBe(second);
  expect((await endedBill(next)).lease.agentKey?.kid).toBe(second);
});
