import { afterAll, beforeEach, expect, test } from "vitest";
import { closeBillsOnce } from "../../src/billing/close-bills.ts";
import { verifyBill } from "../../src/billing/verify/verify-bill.ts";
import { newId } from "../../src/unit/id.ts";
import { exportOf } from "./exported.ts";
import { HOUR, openExtensionMarket } from "./extension-market.ts";
import {
  acknowledgeExtension,
  becomeWiped,
  bookingOf,
  makeRecords,
  offerOf,
  readExtensions,
  readGrant,
  signBatch,
} from "./fake-host.ts";
import { codeOf, depositFor } from "./harness.ts";

const {
  clock,
  endAndWipe,
  eventsOf,
  extend,
  heard,
  hold,
  holds,
  market,
  pass,
  runningLease,
  server,
  show,
  tomorrow,
} = await openExtensionMarket();
afterAll(() => server.stop());
beforeEach(() => heard(60));

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

test("an extension ends in the window that the lease was booked in, whatever the offer says by now", async () => {
  const { client, lender } = market;
  const params = { host: "h1", name: "lend" };
  const days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] as const;
  const windows = [
    { days: [...days], from: "09:00", to: "11:00" },
    { days: [...days], from: "11:00", to: "12:00" },
  ];
  const weekly = { windows, timeZone: "Etc/GMT+1" };
  await lender.call("setOffer", { params, body: offerOf({ ...weekly, leaseSecondsMax: 10_800 }) });
  const day = tomorrow().slice(0, 10);
  const book = async (hour: string) => {
    const leaseId = newId("lease");
    const body = bookingOf({ start: `${day}T${hour}:00:00.000Z` });
    await client.call("bookLease", { params: { leaseId }, body });
    return leaseId;
  };
  const late = await book("12");
  const early = await book("10");
  expect(await show(late)).toMatchObject(weekly);
  // Nothing of it binds a lease that is booked: neither other windows nor who may borrow.
  await lender.call("setOffer", {
    params,
    body: offerOf({
      windows: [{ days: ["mon"], from: "00:00", to: "00:01" }],
      borrowers: { who: "except", parties: ["client"] },
    }),
  });
  const refused = extend(late, 60);
  expect(await codeOf(refused)).toBe("lease-outside-windows");
  await expect(refused).rejects.toThrow(`${day}T13:00:00.000Z at most`);
  await client.call("endLease", { params: { leaseId: late } });
  expect(await codeOf(extend(early, 2 * HOUR + 60))).toBe("lease-too-long");
  await expect(extend(early, 2 * HOUR + 60)).rejects.toThrow(`${day}T13:00:00.000Z`);
  expect((await extend(early, 2 * HOUR)).period?.end).toBe(`${day}T13:00:00.000Z`);
  await expect(
    server.database.pool.query("update lease set windows = '[]' where lease_id = $1", [early]),
  ).rejects.toThrow("terms");
  await client.call("endLease", { params: { leaseId: early } });
  await lender.call("setOffer", { params, body: offerOf() });
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
