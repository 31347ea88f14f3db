import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { JoinedContext } from "../../src/agent/context.ts";
import { readDesiredOnce } from "../../src/agent/desired.ts";
import { convergeOnce } from "../../src/agent/lease/converge.ts";
import { readLease } from "../../src/agent/lease/store.ts";
import { meterOnce } from "../../src/agent/metering.ts";
import { countReports } from "../../src/agent/report/store.ts";
import { reportOnce } from "../../src/agent/reports.ts";
import { sendUsageOnce } from "../../src/agent/send-usage.ts";
import { startContext } from "../../src/agent/start.ts";
import { makeDataFolder, openState } from "../../src/agent/state/store.ts";
import { ApiError } from "../../src/api/client/error.ts";
import { verifyBill } from "../../src/billing/verify/verify-bill.ts";
import { createMemoryDriver, type MemoryDriver } from "../../src/partition/memory/driver.ts";
import type { Clock } from "../../src/unit/clock.ts";
import { type LeaseId, newId } from "../../src/unit/id.ts";
import { joinedOf, MACHINE } from "../agent/harness.ts";
import { testLog } from "../setup/log.ts";
import { makeTempFolder } from "../setup/temp-folder.ts";
import { exportOf } from "./exported.ts";
import { bookingOf, type Market, offerOf, openMarket } from "./fake-host.ts";
import { depositFor, startTestServer, type TestServer } from "./harness.ts";
import { restoreBackup, takeBackup } from "./set-back.ts";

/** A real server and a real agent, with guests in memory; time passes for both alike. */
let aheadMs = 0;
const clock: Clock = {
  now: () => new Date(Date.now() + aheadMs),
  monotonicNs: () => process.hrtime.bigint() + BigInt(aheadMs) * 1_000_000n,
  bootId: () => "boot",
};
const HOUR = 3600;
let server: TestServer;
let market: Market;
let driver: MemoryDriver;
let agent: JoinedContext;
beforeAll(async () => {
  server = await startTestServer(clock);
  market = await openMarket(server);
  const { lender } = market;
  await depositFor(server, "client", 90_000_000n);
  const { offers } = await lender.call("listOffers");
  for (const { offerId } of offers) await lender.call("withdrawOffer", { params: { offerId } });
  const { joinToken } = await lender.call("addHost", { body: { name: "h2" } });
  driver = createMemoryDriver();
  const dataFolder = makeTempFolder("lost-and-found").path;
  makeDataFolder(dataFolder);
  const { context } = await startContext({
    options: { dataFolder, joinToken },
    overrides: { driver, clock, machine: MACHINE },
    db: openState(dataFolder),
    log: { ...testLog, debug: testLog.info },
    makeDriver: () => Promise.reject(new Error("the test has its own")),
  });
  agent = joinedOf(context);
  for (const [name, price] of [
    ["one", "100000"],
    ["two", "200000"],
  ] as const) {
    const params = { host: "h2", name };
    const size = { cpuMilli: 1000, memoryBytes: 2 ** 30, diskBytes: 2 ** 30 };
    const body = { lendable: true, cpuMode: "dedicated" as const, size };
    await lender.call("setPartition", { params, body });
    await lender.call("setOffer", { params, body: offerOf({ priceMicrosPerCoreHour: price }) });
  }
});
afterAll(() => server.stop());
beforeEach(() => rounds(2, 10));

const backup = () => takeBackup(server.database.pool);
const restore = () => restoreBackup(server.database.pool);

/** Everything that server and agent do by themselves, with some seconds before each round. */
async function rounds(count: number, seconds: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    aheadMs += seconds * 1000;
    await server.pass();
    await agent.time.anchor(agent.server.client, agent.server.joined);
    await readDesiredOnce(agent);
    await convergeOnce(agent);
    await meterOnce(agent);
    await reportOnce(agent);
    // What the server refuses is kept, and tried again in the next round.
    await sendUsageOnce(agent).catch((error: unknown) => {
      if (!(error instanceof ApiError)) throw error;
    });
    await convergeOnce(agent);
    await server.pass();
  }
}

async function book(seconds = HOUR): Promise<LeaseId> {
  const leaseId = newId("lease");
  const body = bookingOf({ durationSeconds: seconds });
  await market.client.call("bookLease", { params: { leaseId }, body });
  return leaseId;
}
const show = (leaseId: LeaseId) => market.client.call("showLease", { params: { leaseId } });
const end = (leaseId: LeaseId) => market.client.call("endLease", { params: { leaseId } });
const extend = (leaseId: LeaseId) => {
  const params = { leaseId, extensionId: newId("extension") };
  return market.client.call("extendLease", { params, body: { seconds: HOUR } });
};

async function verifiedBill(leaseId: LeaseId) {
  const { lease } = await show(leaseId);
  const { exported, bill } = await exportOf(market.client, lease.billId);
  const trustedServerKeys = server.context.keys.all;
  expect(verifyBill(exported, { trustedServerKeys })).toMatchObject({ verified: true });
  return bill;
}

test("a lease that the restored database has forgotten is destroyed by nobody and blocks nothing", async () => {
  await backup();
  const lost = await book(600);
  await rounds(3, 10);
  expect(driver.guests.has(lost)).toBe(true);
  await restore();
  await rounds(3, 10);
  expect(driver.guests.get(lost)?.observation.state).toBe("running");
  driver.end(lost, "guest-killed");
  await rounds(3, 10);
  // The other partition's lease is not held up by what the server does not know.
  const other = await book();
  const second = await book();
  await rounds(3, 10);
  const states = await Promise.all([other, second].map(async (id) => (await show(id)).lease.state));
  expect(states).toContain("ready");
  await rounds(11, 60);
  expect(driver.guests.has(lost)).toBe(false);
  expect(countReports(agent.db)).toBe(0);
  for (const leaseId of [other, second]) await end(leaseId);
  await rounds(4, 5);
  expect((await show(other)).lease.state).toBe("ended");
  expect((await show(second)).lease.state).toBe("ended");
  const { rows } = await server.database.pool.query<{ code: string; kind: string }>(
    "select kind, detail->>'code' as code from host_event where detail::text like $1",
    [`%${lost}%`],
  );
  expect(new Set(rows.map(({ code }) => code))).toEqual(new Set(["not-found"]));
  expect(rows.length).toBeLessThan(12);
});

test("a lease that is only booked in the restored database goes on under its first grant", async () => {
  const leaseId = newId("lease");
  const start = new Date(clock.now().getTime() + 30_000).toISOString();
  await market.client.call("bookLease", { params: { leaseId }, body: bookingOf({ start }) });
  await backup();
  await rounds(8, 10);
  const before = (await show(leaseId)).lease;
  expect(before.state).toBe("ready");
  const guest = driver.guests.get(leaseId)?.observation.processId;
  await restore();
  expect((await show(leaseId)).lease.state).toBe("booked");
  await rounds(4, 10);
  const after = await show(leaseId);
  expect(after.lease).toMatchObject({ state: "ready", access: before.access });
  expect(after.events.map(({ kind }) => kind)).toContain("grant-found");
  expect(driver.guests.get(leaseId)?.observation.processId).toBe(guest);
  await end(leaseId);
  await rounds(4, 5);
  const bill = await verifiedBill(leaseId);
  expect(BigInt(bill.deliveredNs)).toBeGreaterThan(60_000_000_000n);
});

test("a lease that had been wiped when the database knew it as booked ends with its whole bill", async () => {
  const leaseId = newId("lease");
  const start = new Date(clock.now().getTime() + 20_000).toISOString();
  const body = bookingOf({ start, durationSeconds: 120 });
  await market.client.call("bookLease", { params: { leaseId }, body });
  await backup();
  await rounds(18, 10);
  const before = await verifiedBill(leaseId);
  await restore();
  await rounds(4, 5);
  const after = await verifiedBill(leaseId);
  expect(after.totalMicros).toBe(before.totalMicros);
  expect(after.deliveredNs).toBe(before.deliveredNs);
});

test("a way in that the restored database has forgotten is told again", async () => {
  const leaseId = await book();
  await server.pass();
  await backup();
  await rounds(2, 10);
  const { access } = (await show(leaseId)).lease;
  await restore();
  expect((await show(leaseId)).lease).toMatchObject({ state: "preparing", access: null });
  await rounds(2, 10);
  const { lease, events } = await show(leaseId);
  expect(lease).toMatchObject({ state: "ready", access });
  await rounds(2, 10);
  expect((await show(leaseId)).events.filter(({ kind }) => kind === "ready")).toHaveLength(1);
  expect(events.filter(({ kind }) => kind === "ready")).toHaveLength(1);
  await end(leaseId);
  await rounds(4, 5);
});

test("a lease that was wiped and billed when the database knew it as ready is billed again alike", async () => {
  const leaseId = await book();
  await rounds(3, 10);
  await backup();
  await rounds(6, 10);
  await end(leaseId);
  await rounds(4, 5);
  const before = await verifiedBill(leaseId);
  await restore();
  expect((await show(leaseId)).lease.state).toBe("ready");
  await rounds(4, 5);
  const { lease } = await show(leaseId);
  expect(lease).toMatchObject({ state: "ended", outcome: "ended-early" });
  expect((await verifiedBill(leaseId)).totalMicros).toBe(before.totalMicros);
  expect((await market.client.call("showAccount")).holdsMicros).toBe("0");
});

test("usage records that were lost are sent again, also of a lease that goes on", async () => {
  const leaseId = await book();
  await rounds(2, 10);
  await backup();
  await rounds(15, 10);
  await restore();
  await rounds(10, 10);
  await end(leaseId);
  await rounds(4, 5);
  const bill = await verifiedBill(leaseId);
  expect(BigInt(bill.deliveredNs)).toBeGreaterThan(250_000_000_000n);
});

test("records that are missing of a lease that has ended are sent again, and its bill closes", async () => {
  const leaseId = await book();
  await rounds(4, 30);
  await end(leaseId);
  await readDesiredOnce(agent);
  await convergeOnce(agent);
  await reportOnce(agent);
  expect((await show(leaseId)).lease).toMatchObject({ state: "ended", billId: null });
  await backup();
  await rounds(2, 5);
  const before = await verifiedBill(leaseId);
  await restore();
  expect((await show(leaseId)).lease.billId).toBe(null);
  await rounds(3, 5);
  expect((await verifiedBill(leaseId)).totalMicros).toBe(before.totalMicros);
});

test("an extension that is pending again in the restored database is acknowledged again", async () => {
  const leaseId = await book();
  await rounds(3, 10);
  await extend(leaseId);
  await backup();
  await rounds(2, 5);
  const { period } = (await show(leaseId)).lease;
  await restore();
  expect((await show(leaseId)).lease.extensions).toMatchObject([{ state: "pending" }]);
  await rounds(2, 5);
  expect((await show(leaseId)).lease).toMatchObject({
    period,
    extensions: [{ state: "in-force" }],
  });
  await end(leaseId);
  await rounds(4, 5);
});

test("an extension that the restored database has forgotten is taken back from its own signature", async () => {
  const leaseId = await book();
  await rounds(3, 10);
  await backup();
  await extend(leaseId);
  await rounds(2, 5);
  const { period, quote } = (await show(leaseId)).lease;
  await restore();
  expect((await show(leaseId)).lease.extensions).toEqual([]);
  await rounds(2, 5);
  const { lease } = await show(leaseId);
  expect(lease).toMatchObject({ period, quote, extensions: [{ state: "in-force" }] });
  const { rows } = await server.database.pool.query(
    "select amount_micros from hold where lease_id = $1",
    [leaseId],
  );
  expect(rows).toEqual([{ amount_micros: BigInt(quote.totalMicros) }]);
  await rounds(70, 110);
  expect(readLease(agent.db, leaseId)?.stage).toBe("done");
  const bill = await verifiedBill(leaseId);
  expect(BigInt(bill.elapsedNs)).toBeGreaterThan(7_000_000_000_000n);
});
