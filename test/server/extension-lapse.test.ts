import { afterAll, beforeEach, expect, test } from "vitest";
import { newId } from "../../src/unit/id.ts";
import { HOUR, openExtensionMarket } from "./extension-market.ts";
import {
  acknowledgeExtension,
  becomeWiped,
  bookingOf,
  GIB,
  makeRecords,
  offerOf,
  readExtensions,
  readGrant,
  signBatch,
} from "./fake-host.ts";

const {
  clock,
  endAndWipe,
  eventsOf,
  extend,
  heard,
  hold,
  market,
  pass,
  runningLease,
  server,
  show,
} = await openExtensionMarket();
afterAll(() => server.stop());
beforeEach(() => heard(60));

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

test("an extension that cannot lapse keeps no other lease's bill from closing", async () => {
  const { client, host, lender } = market;
  const stuck = await runningLease();
  await lender.call("removePartition", { params: { host: "h1", name: "own" } });
  const max = { cpuMilli: 1000, memoryBytes: GIB, diskBytes: GIB };
  const carved = { ...offerOf(), cpuMode: "dedicated" as const, max };
  const params = { host: "h1" };
  const { offerId } = await lender.call("setCarveOffer", { params, body: carved as never });
  const other = newId("lease");
  await client.call("bookLease", {
    params: { leaseId: other },
    body: { ...bookingOf(), offerId },
  });
  await server.pass();
  const granted = await readGrant(host, other);
  await extend(stuck);
  const { pool } = server.database;
  await pool.query(`create function fail() returns trigger language plpgsql as
    $$ begin raise exception 'a test' using errcode = 'SL009'; end $$`);
  await pool.query(`create trigger fail before update on lease_extension for each row
    when (new.lease_id = '${stuck}') execute function fail()`);
  await heard(HOUR + 31);
  await becomeWiped(host, granted, [], "expired");
  await server.pass();
  expect((await show(stuck)).extensions).toMatchObject([{ state: "pending" }]);
  expect((await show(other)).billId).not.toBeNull();
  await pool.query("drop trigger fail on lease_extension");
  await server.pass();
  expect((await show(stuck)).extensions).toMatchObject([{ state: "lapsed" }]);
  await endAndWipe(stuck);
});
