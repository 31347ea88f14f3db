import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { closeBillsOnce } from "../../src/billing/close-bills.ts";
import { verifyBill } from "../../src/billing/verify/verify-bill.ts";
import type { Clock } from "../../src/unit/clock.ts";
import { type LeaseId, newId } from "../../src/unit/id.ts";
import { exportOf } from "./exported.ts";
import {
  acknowledgeExtension,
  becomeReady,
  becomeWiped,
  bookingOf,
  type Market,
  makeRecords,
  offerOf,
  openMarket,
  readExtensions,
  readGrant,
  signBatch,
} from "./fake-host.ts";
import { codeOf, depositFor, startTestServer, type TestServer } from "./harness.ts";

/** The server's clock goes on from the real one, so that ids and tokens stay in order. */
let aheadMs = 0;
const clock: Clock = {
  now: () => new Date(Date.now() + aheadMs),
  monotonicNs: () => process.hrtime.bigint(),
  bootId: () => "boot",
};
const pass = (seconds: number) => {
  aheadMs += seconds * 1000;
};

/** Time passes, and the host is in contact. */
async function heard(seconds: number): Promise<void> {
  pass(seconds);
  await market.host.agent.call("readDesired");
}

let server: TestServer;
let market: Market;
beforeAll(async () => {
  server = await startTestServer(clock);
  market = await openMarket(server);
  await depositFor(server, "client", 90_000_000n);
});
afterAll(() => server.stop());
beforeEach(() => heard(60));

const HOUR = 3600;
const tomorrow = () => new Date(clock.now().getTime() + 86_400_000).toISOString();
const extend = (leaseId: LeaseId, seconds = HOUR, more: object = {}) => {
  const params = { leaseId, extensionId: newId("extension") };
  return market.client.call("extendLease", { params, body: { seconds, ...more } });
};
const show = async (leaseId: LeaseId) =>
  (await market.client.call("showLease", { params: { leaseId } })).lease;
const holds = async () => BigInt((await market.client.call("showAccount")).holdsMicros);
const hold = async (leaseId: LeaseId) => {
  const { rows } = await server.database.pool.query<{ amount: bigint }>(
    "select amount_micros as amount from hold where lease_id = $1 and released_at is null",
    [leaseId],
  );
  return rows[0]?.amount ?? 0n;
};
const eventsOf = async (leaseId: LeaseId) =>
  (await market.client.call("showLease", { params: { leaseId } })).events.map(({ kind, reason }) =>
    reason === null ? kind : `${kind}: ${reason}`,
  );

async function runningLease(): Promise<LeaseId> {
  const leaseId = newId("lease");
  await market.client.call("bookLease", { params: { leaseId }, body: bookingOf() });
  await server.pass();
  await becomeReady(market.host, leaseId);
  return leaseId;
}

async function endAndWipe(leaseId: LeaseId): Promise<void> {
  const granted = await readGrant(market.host, leaseId);
  if ((await show(leaseId)).state !== "ending") {
    await market.client.call("endLease", { params: { leaseId } });
  }
  await becomeWiped(market.host, granted, []);
  await server.pass();
}

test("an extension is pending, reserved and held, and in force when its host has acknowledged it", async () => {
  const { client, host } = market;
  const leaseId = await runningLease();
  const before = await show(leaseId);
  const params = { leaseId };
  const quoted = await client.call("quoteExtension", { params, body: { seconds: HOUR } });
  expect(quoted).toMatchObject({ additionalMicros: "110000", quote: { totalMicros: "230000" } });

  const pending = await extend(leaseId);
  expect(pending.period).toEqual(before.period);
  expect(pending.quote).toEqual(before.quote);
  expect(pending.extensions).toMatchObject([{ state: "pending", end: quoted.end }]);
  expect(await hold(leaseId)).toBe(230_000n);
  const [code] = await readExtensions(host, leaseId);
  const { grant } = await readGrant(host, leaseId);
  expect(code?.grant).toEqual({
    ...grant,
    jti: expect.not.stringMatching(grant.jti),
    issuedAt: expect.any(String),
    sequence: 2,
    period: { start: grant.period.start, end: quoted.end },
  });

  await acknowledgeExtension(host, leaseId);
  const extended = await show(leaseId);
  expect(extended.period?.end).toBe(quoted.end);
  expect(extended.quote.totalMicros).toBe("230000");
  expect(extended.extensions).toMatchObject([{ state: "in-force", reason: null }]);
  expect(await readExtensions(host, leaseId)).toEqual([]);
  expect(await eventsOf(leaseId)).toEqual([
    "booked",
    "preparing",
    "ready",
    "extension-pending",
    "extended",
  ]);
  await endAndWipe(leaseId);
});

test("a client that asks twice gets one extension, and the same id with other content is refused", async () => {
  const leaseId = await runningLease();
  const params = { leaseId, extensionId: newId("extension") };
  const ask = (seconds: number) =>
    codeOf(market.client.call("extendLease", { params, body: { seconds } }));
  expect(await Promise.all([ask(HOUR), ask(HOUR), ask(HOUR)])).toEqual(["done", "done", "done"]);
  expect((await show(leaseId)).extensions).toHaveLength(1);
  expect(await hold(leaseId)).toBe(230_000n);
  expect(await ask(2 * HOUR)).toBe("extension-id-reused");
  expect(await codeOf(extend(leaseId))).toBe("extension-pending");
  await acknowledgeExtension(market.host, leaseId);
  expect(await ask(HOUR)).toBe("done");
  expect((await show(leaseId)).extensions).toHaveLength(1);
  const { client: stranger } = await server.party("stranger", ["client"]);
  expect(await codeOf(stranger.call("extendLease", { params, body: { seconds: HOUR } }))).toBe(
    "not-found",
  );
  await endAndWipe(leaseId);
});

test("an extension is priced by the lease's own tariff, whatever the offer says by now", async () => {
  const leaseId = await runningLease();
  const params = { host: "h1", name: "lend" };
  const dearer = offerOf({ priceMicrosPerCoreHour: "9000000", leaseSecondsMax: 3600 });
  await market.lender.call("setOffer", { params, body: dearer });
  const extended = await extend(leaseId);
  expect(extended.extensions).toMatchObject([{ additionalMicros: "110000" }]);
  await market.lender.call("setOffer", { params, body: offerOf() });
  await endAndWipe(leaseId);
});

test("what does not fit is refused by name, and nothing is kept of it", async () => {
  const { client } = market;
  const leaseId = await runningLease();
  const before = await show(leaseId);
  const heldBefore = await holds();
  expect(await codeOf(extend(leaseId, 7 * 86_400))).toBe("lease-too-long");
  expect(await codeOf(extend(leaseId, HOUR, { maxAdditionalMicros: "109999" }))).toBe(
    "cost-above-limit",
  );
  const other = { leaseId: newId("lease") };
  const end = new Date(before.period?.end ?? 0).getTime();
  const start = new Date(end + 1800_000 + 30_000).toISOString();
  await client.call("bookLease", { params: other, body: bookingOf({ start }) });
  const refused = extend(leaseId, 1801);
  expect(await codeOf(refused)).toBe("calendar-full");
  await expect(refused).rejects.toThrow(new Date(end + 1800_000).toISOString());
  expect(await show(leaseId)).toEqual(before);
  // With the wipe's turnaround between them it just fits.
  await extend(leaseId, 1800);
  await client.call("endLease", { params: other });
  await client.call("endLease", { params: { leaseId } });
  expect(await codeOf(extend(leaseId))).toBe("lease-over");
  await endAndWipe(leaseId);
  expect(await codeOf(extend(leaseId))).toBe("lease-over");
  expect(await holds()).toBe(heldBefore - 120_000n);
});

test("a client without the funds extends nothing", async () => {
  const { client: poor } = await server.party("poor", ["client"]);
  await depositFor(server, "poor", 120_000n);
  const params = { leaseId: newId("lease") };
  await poor.call("bookLease", { params, body: bookingOf({ start: tomorrow() }) });
  const extension = { ...params, extensionId: newId("extension") };
  const body = { seconds: HOUR };
  expect(await codeOf(poor.call("extendLease", { params: extension, body }))).toBe("funds-short");
  expect((await poor.call("showLease", { params })).lease.extensions).toEqual([]);
  await poor.call("endLease", { params });
});

test("a host that is promised to others for that time has no room for an extension", async () => {
  const { client, lender } = market;
  const leaseId = newId("lease");
  const size = { cpuMilli: 3000, memoryBytes: 2 ** 30, diskBytes: 2 ** 30 };
  await client.call("bookLease", {
    params: { leaseId },
    body: bookingOf({ size, start: tomorrow() }),
  });
  const end = new Date((await show(leaseId)).period?.end ?? 0).getTime();
  const own = { host: "h1", name: "own" };
  const offered = { lendable: true, cpuMode: "dedicated" as const };
  const standing = { cpuMilli: 1000, memoryBytes: 2 ** 31, diskBytes: 2 ** 30 };
  await lender.call("setPartition", {
    params: own,
    body: { ...offered, size: standing, max: { ...standing, cpuMilli: 2000 } },
  });
  await lender.call("setOffer", { params: own, body: offerOf({ priceMicrosPerCoreHour: "1" }) });
  const other = { leaseId: newId("lease") };
  const start = new Date(end + 600_000).toISOString();
  const larger = { ...size, cpuMilli: 2000 };
  await client.call("bookLease", { params: other, body: bookingOf({ start, size: larger }) });
  expect(await codeOf(extend(leaseId))).toBe("calendar-full");
  expect(await codeOf(extend(leaseId, 300))).toBe("done");
  for (const params of [other, { leaseId }]) await client.call("endLease", { params });
  await lender.call("setPartition", {
    params: own,
    body: { ...offered, lendable: false, size: standing },
  });
});

test("a booking for later is extended at once: its host knows nothing of it yet", async () => {
  const leaseId = newId("lease");
  const start = tomorrow();
  await market.client.call("bookLease", { params: { leaseId }, body: bookingOf({ start }) });
  const extended = await extend(leaseId);
  expect(extended.extensions).toMatchObject([{ state: "in-force" }]);
  const end = new Date(new Date(start).getTime() + 2 * HOUR * 1000).toISOString();
  expect(extended.period?.end).toBe(end);
  expect(extended.quote.totalMicros).toBe("230000");
  expect(await hold(leaseId)).toBe(230_000n);
  await market.client.call("endLease", { params: { leaseId } });
  expect(await hold(leaseId)).toBe(0n);
});

test("the bill charges the longer time when the host acknowledged it, and its export proves it", async () => {
  const { client, host } = market;
  const leaseId = await runningLease();
  const granted = await readGrant(host, leaseId);
  await extend(leaseId);
  await acknowledgeExtension(host, leaseId);
  await extend(leaseId);
  pass(2 * HOUR);
  const records = makeRecords(host, granted, [HOUR, HOUR + 600]);
  await host.agent.call("sendUsage", { body: { usageJws: signBatch(host, records) } });
  // The second one was never taken, and its time is not charged.
  await host.report({ kind: "ending", leaseId, reason: "expired" });
  expect(await eventsOf(leaseId)).toContain("extension-lapsed: lease-ended");
  await becomeWiped(host, granted, records, "expired");
  await server.pass();
  const { billId } = await show(leaseId);
  const { exported, lease, bill } = await exportOf(client, billId);
  expect(lease.extensionGrantJws).toHaveLength(1);
  expect(bill.sumMicros).toBe("222000");
  const trustedServerKeys = server.context.keys.all;
  expect(verifyBill(exported, { trustedServerKeys })).toMatchObject({ verified: true });
  const without = { ...exported, leases: [{ ...lease, extensionGrantJws: [] }] };
  expect(verifyBill(without, { trustedServerKeys }).verified).toBe(false);
  await closeBillsOnce(
    {
      db: server.database,
      issuer: { serverId: "x", key: server.context.keys.current },
      billingTimeZone: "UTC",
    },
    clock.now(),
  );
});

test("an extension that a host in contact does not acknowledge lapses, and all goes back", async () => {
  const { client, host } = market;
  const leaseId = await runningLease();
  await extend(leaseId);
  pass(HOUR + 29);
  await host.agent.call("readDesired");
  await server.pass();
  expect((await show(leaseId)).extensions).toMatchObject([{ state: "pending" }]);
  pass(2);
  await host.agent.call("readDesired");
  await server.pass();
  expect((await show(leaseId)).extensions).toMatchObject([
    { state: "lapsed", reason: "not-acknowledged" },
  ]);
  expect(await hold(leaseId)).toBe(120_000n);
  await server.pass();
  expect(
    (await eventsOf(leaseId)).filter((kind) => kind.startsWith("extension-lapsed")),
  ).toHaveLength(1);
  await becomeWiped(host, await readGrant(host, leaseId), [], "expired");
  await server.pass();
  const found = await client.call("search", { body: bookingOf().requirement });
  expect(found.matches).toHaveLength(1);
});

test("a host that is silent keeps its extension: it may have taken it, and only it knows", async () => {
  const { host } = market;
  const leaseId = await runningLease();
  await extend(leaseId);
  const [code] = await readExtensions(host, leaseId);
  pass(HOUR + 1800);
  await server.pass();
  expect(await show(leaseId)).toMatchObject({ state: "ready", extensions: [{ state: "pending" }] });
  // Back again, with its word: it counts, though the old end is long past.
  await acknowledgeExtension(host, leaseId, code);
  expect(await show(leaseId)).toMatchObject({
    state: "ready",
    period: { end: code?.grant.period.end },
  });
  await endAndWipe(leaseId);
});

test("a host that comes back after the new end is believed, and the time is charged", async () => {
  const { host } = market;
  const leaseId = await runningLease();
  const granted = await readGrant(host, leaseId);
  await extend(leaseId);
  const [code] = await readExtensions(host, leaseId);
  pass(2 * HOUR + 61);
  await server.pass();
  expect(await show(leaseId)).toMatchObject({
    state: "ending",
    extensions: [{ state: "pending" }],
  });
  await acknowledgeExtension(host, leaseId, code);
  const records = makeRecords(host, granted, [2 * HOUR]);
  await host.agent.call("sendUsage", { body: { usageJws: signBatch(host, records) } });
  await becomeWiped(host, granted, records, "expired");
  await server.pass();
  const { billId, outcome } = await show(leaseId);
  expect(outcome).toBe("completed");
  const params = { billId: billId ?? "bill_" } as const;
  const { bill } = await market.client.call("showBill", { params });
  expect(bill.sumMicros).toBe("222000");
});

test("an acknowledgement that comes after the lapse counts while partition and funds are there", async () => {
  const { host } = market;
  const leaseId = await runningLease();
  await extend(leaseId);
  const [code] = await readExtensions(host, leaseId);
  pass(HOUR + 31);
  await host.agent.call("readDesired");
  await server.pass();
  expect((await show(leaseId)).extensions).toMatchObject([{ state: "lapsed" }]);
  await acknowledgeExtension(host, leaseId, code);
  expect(await show(leaseId)).toMatchObject({
    state: "ready",
    period: { end: code?.grant.period.end },
    extensions: [{ state: "in-force", reason: null }],
  });
  expect(await hold(leaseId)).toBe(230_000n);
  await endAndWipe(leaseId);
});

test("when the time was given to another meanwhile, the lease ends and is not charged for it", async () => {
  const { client, host } = market;
  const leaseId = await runningLease();
  const granted = await readGrant(host, leaseId);
  await extend(leaseId);
  const [code] = await readExtensions(host, leaseId);
  pass(HOUR + 31);
  await host.agent.call("readDesired");
  await server.pass();
  const other = { leaseId: newId("lease") };
  const start = new Date(clock.now().getTime() + 60_000).toISOString();
  await client.call("bookLease", { params: other, body: bookingOf({ start }) });
  await acknowledgeExtension(host, leaseId, code);
  expect(await show(leaseId)).toMatchObject({ state: "ending", extensions: [{ state: "lapsed" }] });
  expect(await eventsOf(leaseId)).toEqual(
    expect.arrayContaining(["extension-not-charged: calendar-full", "ending: extension-lapsed"]),
  );
  const records = makeRecords(host, granted, [HOUR + 90]);
  await host.agent.call("sendUsage", { body: { usageJws: signBatch(host, records) } });
  await becomeWiped(host, granted, records, "extension-lapsed");
  await server.pass();
  const { billId, outcome } = await show(leaseId);
  expect(outcome).toBe("completed");
  const params = { billId: billId ?? "bill_" } as const;
  const { bill } = await client.call("showBill", { params });
  expect(bill.sumMicros).toBe("111000");
  await client.call("endLease", { params: other });
});

test("a host that refuses an extension says why, and the lease keeps its end", async () => {
  const { host } = market;
  const leaseId = await runningLease();
  const before = await show(leaseId);
  await extend(leaseId);
  const [code] = await readExtensions(host, leaseId);
  const refused = { reason: "extension-differs", message: "a test" };
  await host.report({
    kind: "extension-refused",
    leaseId,
    extensionSha256: code?.sha256 ?? "",
    ...refused,
  });
  expect(await show(leaseId)).toMatchObject({
    period: before.period,
    reason: null,
    extensions: [{ state: "lapsed", reason: "extension-differs" }],
  });
  expect(await hold(leaseId)).toBe(120_000n);
  await endAndWipe(leaseId);
});

test("ending a lease early gives back what a pending extension holds and reserves, at once", async () => {
  const { client } = market;
  const leaseId = await runningLease();
  await extend(leaseId, 3 * HOUR);
  const end = new Date((await show(leaseId)).period?.end ?? 0).getTime();
  await client.call("endLease", { params: { leaseId } });
  expect(await hold(leaseId)).toBe(120_000n);
  expect((await show(leaseId)).extensions).toMatchObject([
    { state: "lapsed", reason: "ended-by-client" },
  ]);
  const other = { leaseId: newId("lease") };
  const start = new Date(end + 30_000).toISOString();
  await client.call("bookLease", { params: other, body: bookingOf({ start }) });
  await client.call("endLease", { params: other });
  await endAndWipe(leaseId);
});
