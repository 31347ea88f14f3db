import { afterAll, beforeAll, expect, test } from "vitest";
import { LATE_AFTER_MS, LOST_AFTER_MS } from "../../src/host/liveness.ts";
import { watchHostsOnce } from "../../src/lease/watch-hosts.ts";
import { type Clock, systemClock } from "../../src/unit/clock.ts";
import { type LeaseId, newId } from "../../src/unit/id.ts";
import {
  becomeReady,
  becomeWiped,
  bookingOf,
  type Market,
  makeRecords,
  openMarket,
  readGrant,
  signBatch,
} from "./fake-host.ts";
import { codeOf, startTestServer, type TestServer } from "./harness.ts";

let server: TestServer;
let market: Market;
let aheadMs = 0;
const clock: Clock = {
  ...systemClock,
  now: () => new Date(systemClock.now().getTime() + aheadMs),
};
beforeAll(async () => {
  server = await startTestServer(clock);
  market = await openMarket(server);
});
afterAll(() => server.stop());

const HOUR_MS = 3_600_000;
const h1 = { params: { host: "h1" } };
const inFuture = (ms: number) => new Date(clock.now().getTime() + ms).toISOString();
const show = () => market.lender.call("showHost", h1);
const state = async () => (await show()).host.state;
const eventKinds = async () => (await show()).events.map(({ kind }) => kind).toReversed();
const watch = () =>
  watchHostsOnce({ db: server.database, upSince: server.context.upSince }, clock.now());

async function book(change: Parameters<typeof bookingOf>[0] = {}): Promise<LeaseId> {
  const leaseId = newId("lease");
  await market.client.call("bookLease", { params: { leaseId }, body: bookingOf(change) });
  return leaseId;
}

async function mismatch(change: Parameters<typeof bookingOf>[0] = {}): Promise<string[]> {
  const { mismatches } = await market.client.call("search", {
    body: bookingOf(change).requirement,
  });
  return mismatches.flatMap(({ reasons }) => reasons.map(({ code }) => code));
}

async function endAndWipe(leaseId: LeaseId): Promise<void> {
  const granted = await readGrant(market.host, leaseId);
  await market.client.call("endLease", { params: { leaseId } });
  await becomeWiped(market.host, granted, []);
  await server.pass();
}

test("a host that falls silent is late, then lost, then back: once each, and nothing ends of it", async () => {
  const { client, host } = market;
  const leaseId = await book({ durationSeconds: 6 * 3600 });
  await server.pass();
  const granted = await readGrant(host, leaseId);
  await becomeReady(host, leaseId);
  const before = await eventKinds();

  aheadMs += LATE_AFTER_MS + 1000;
  expect(await watch()).toBe(1);
  expect(await watch()).toBe(0);
  expect(await state()).toBe("late");
  expect(await mismatch()).toContain("host-late");

  aheadMs += LOST_AFTER_MS;
  await server.pass();
  expect(await watch()).toBe(0);
  expect(await state()).toBe("lost");
  const lost = await client.call("showLease", { params: { leaseId } });
  expect(lost.lease.state).toBe("ready");
  expect(lost.events.at(-1)).toMatchObject({ kind: "host-lost", detail: { host: "h1" } });
  expect((await show()).partitions.find(({ name }) => name === "lend")?.inUse).toMatchObject({
    leaseId,
  });

  // Back: what it metered by itself arrives, and the silence is explained.
  await host.agent.call("readDesired");
  expect(await state()).toBe("seen");
  expect(await watch()).toBe(1);
  expect(await watch()).toBe(0);
  expect((await eventKinds()).slice(before.length)).toEqual(["late", "lost", "back"]);
  const back = await client.call("showLease", { params: { leaseId } });
  expect(back.lease.state).toBe("ready");
  const told = back.events.at(-1);
  expect(told).toMatchObject({ kind: "host-back", detail: { was: "lost" } });
  expect(told?.detail.silentSeconds).toBeGreaterThanOrEqual((LATE_AFTER_MS + LOST_AFTER_MS) / 1000);
  const records = makeRecords(host, granted, [600, 100]);
  await host.agent.call("sendUsage", { body: { usageJws: signBatch(host, records) } });
  await client.call("endLease", { params: { leaseId } });
  await becomeWiped(host, granted, records);
  await server.pass();
  const ended = await client.call("showLease", { params: { leaseId } });
  expect(ended.events.at(-1)).toMatchObject({ kind: "billed" });
});

test("a drained host takes no new leases, and those that exist go on", async () => {
  const { lender, client } = market;
  const running = await book();
  await server.pass();
  const booked = await book({ start: inFuture(24 * HOUR_MS) });
  const drained = await lender.call("drainHost", { ...h1, body: { drained: true } });
  expect(drained.drainedAt).not.toBeNull();
  expect(await lender.call("drainHost", { ...h1, body: { drained: true } })).toMatchObject({
    drainedAt: drained.drainedAt,
  });
  const later = { start: inFuture(48 * HOUR_MS) };
  expect(await mismatch(later)).toEqual(["host-drained"]);
  expect(await codeOf(book(later))).toBe("no-match");
  for (const leaseId of [running, booked]) {
    const { lease } = await client.call("showLease", { params: { leaseId } });
    expect(lease.state).toBe(leaseId === running ? "preparing" : "booked");
  }
  // A guest that is not wiped in time goes on holding what it has, drained or not.
  aheadMs += 2 * HOUR_MS;
  await market.host.agent.call("readDesired");
  await server.pass();
  const { rows } = await server.database.pool.query<{ until: Date }>(
    `select upper(period) as until from reservation where lease_id = '${running}'`,
  );
  expect(rows[0]?.until.getTime()).toBeGreaterThan(clock.now().getTime());
  await lender.call("drainHost", { ...h1, body: { drained: false } });
  expect(await mismatch(later)).toEqual([]);
  expect((await eventKinds()).slice(-2)).toEqual(["drained", "undrained"]);
  await endAndWipe(running);
  await client.call("endLease", { params: { leaseId: booked } });
});

test("no lease overlaps a maintenance, and a maintenance overlaps no lease", async () => {
  const { lender, client } = market;
  const start = inFuture(24 * HOUR_MS);
  const leaseId = await book({ start });
  const set = (from: number, until: number | null) =>
    lender.call("setMaintenance", {
      ...h1,
      body: {
        maintenance: { start: inFuture(from), end: until === null ? null : inFuture(until) },
      },
    });
  await expect(set(24 * HOUR_MS, 26 * HOUR_MS)).rejects.toMatchObject({
    code: "host-booked",
    message: expect.stringContaining(leaseId),
  });
  expect(await codeOf(set(0, null))).toBe("host-booked");
  expect(await codeOf(set(2 * HOUR_MS, HOUR_MS))).toBe("invalid-input");
  await set(26 * HOUR_MS, 28 * HOUR_MS);
  expect(await mismatch({ start: inFuture(25.5 * HOUR_MS) })).toEqual(["host-maintenance"]);
  // The wipe after a lease is not the maintenance's either.
  const before = { start: inFuture(25 * HOUR_MS + 50_000), durationSeconds: 3600 - 70 };
  expect(await mismatch(before)).toEqual(["host-maintenance"]);
  expect(await mismatch({ start: inFuture(28 * HOUR_MS + 1000) })).toEqual([]);
  expect(await codeOf(book({ start: inFuture(27 * HOUR_MS) }))).toBe("no-match");
  await client.call("endLease", { params: { leaseId } });
  expect((await set(0, null)).maintenance).toMatchObject({ end: null });
  expect(await mismatch()).toEqual(["host-maintenance"]);
  await lender.call("setMaintenance", { ...h1, body: { maintenance: null } });
  expect(await mismatch()).toEqual([]);
});

test("going around the code that asks first, a drain and a maintenance are kept by the database", async () => {
  const { client } = market;
  const leaseId = await book({ start: inFuture(24 * HOUR_MS) });
  const refused = (statement: string) =>
    server.database.pool.query(statement).then(
      () => "done",
      (error: { constraint?: string }) => error.constraint,
    );
  const copy = `insert into reservation select 'reservation_x', host_id, partition_id, $1, cpu_milli,
    memory_bytes, disk_bytes, tstzrange(upper(period), upper(period) + '1 hour')
    from reservation where lease_id = '${leaseId}'`;
  const extend = `update lease set period = tstzrange(lower(period), upper(period) + '1 hour')
    where lease_id = '${leaseId}'`;
  expect(
    await refused(
      `update host set maintenance_from = '2020-01-01', maintenance_until = null where name = 'h1'`,
    ),
  ).toBe("host_maintenance");
  await server.database.pool.query(
    `update host set maintenance_from = (select upper(period) from reservation where lease_id = '${leaseId}') where name = 'h1'`,
  );
  expect(await refused(extend)).toBe("host_maintenance");
  expect(await refused(copy.replace("$1", `'${leaseId}'`))).toBe("host_maintenance");
  await server.database.pool.query(
    `update host set maintenance_from = null, drained_at = now() where name = 'h1'`,
  );
  expect(await refused(extend)).toBe("host_drained");
  await server.database.pool.query(`update host set drained_at = null where name = 'h1'`);
  await client.call("endLease", { params: { leaseId } });
});
