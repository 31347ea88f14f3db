import { afterAll, beforeEach, expect, test } from "vitest";
import { newId } from "../../src/unit/id.ts";
import { HOUR, openExtensionMarket } from "./extension-market.ts";
import {
  acknowledgeExtension,
  becomeReady,
  bookingOf,
  GIB,
  offerOf,
  readExtensions,
} from "./fake-host.ts";
import { codeOf } from "./harness.ts";

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

const h1 = { params: { host: "h1" } };
const drain = (drained: boolean) => market.lender.call("drainHost", { ...h1, body: { drained } });

test("a drained host takes no extension, and one that was asked for before the drain comes in force", async () => {
  const leaseId = await runningLease();
  const pending = (await extend(leaseId)).extensions.at(-1);
  await drain(true);
  await acknowledgeExtension(market.host, leaseId);
  expect(await show(leaseId)).toMatchObject({
    period: { end: pending?.end },
    extensions: [{ state: "in-force" }],
  });
  const refused = extend(leaseId);
  expect(await codeOf(refused)).toBe("host-closed");
  await expect(refused).rejects.toThrow("takes no new leases");
  await drain(false);
  await endAndWipe(leaseId);
});

test("no extension reaches into a maintenance, of a lease that runs or is booked", async () => {
  const { client, lender } = market;
  const running = await runningLease();
  const end = Date.parse((await show(running)).period?.end ?? "");
  const booked = newId("lease");
  const start = new Date(end + 2 * HOUR * 1000).toISOString();
  await client.call("bookLease", { params: { leaseId: booked }, body: bookingOf({ start }) });
  const set = async (leaseId: typeof booked) => {
    const from = Date.parse((await show(leaseId)).period?.end ?? "") + 600_000;
    const [begin, until] = [from, from + 600_000].map((ms) => new Date(ms).toISOString());
    const maintenance = { start: begin ?? "", end: until ?? "" };
    await lender.call("setMaintenance", { ...h1, body: { maintenance } });
  };
  for (const leaseId of [running, booked]) {
    await set(leaseId);
    const refused = extend(leaseId, 580);
    expect(await codeOf(refused)).toBe("host-closed");
    await expect(refused).rejects.toThrow("maintenance");
    expect((await extend(leaseId, 560)).extensions).toHaveLength(1);
  }
  await lender.call("setMaintenance", { ...h1, body: { maintenance: null } });
  await client.call("endLease", { params: { leaseId: booked } });
  await endAndWipe(running);
});

test("a late word on an extension whose carve was given to another ends the lease, and stops no other report", async () => {
  const { client, host, lender } = market;
  const size = { cpuMilli: 1000, memoryBytes: GIB, diskBytes: GIB };
  await lender.call("removePartition", { params: { host: "h1", name: "own" } });
  const offered = { ...offerOf(), cpuMode: "dedicated" as const, max: size };
  const { offerId } = await lender.call("setCarveOffer", { ...h1, body: offered as never });
  const book = async (start: string | null) => {
    const leaseId = newId("lease");
    const body = { ...bookingOf({ start }), offerId };
    await client.call("bookLease", { params: { leaseId }, body });
    return leaseId;
  };
  const leaseId = await book(null);
  await server.pass();
  await becomeReady(host, leaseId);
  await extend(leaseId);
  const [code] = await readExtensions(host, leaseId);
  await heard(HOUR + 31);
  await server.pass();
  const other = await book(new Date(clock.now().getTime() + 600_000).toISOString());
  await acknowledgeExtension(host, leaseId, code);
  expect(await show(leaseId)).toMatchObject({ state: "ending", extensions: [{ state: "lapsed" }] });
  expect(await eventsOf(leaseId)).toContain("extension-not-charged: calendar-full");
  await client.call("endLease", { params: { leaseId: other } });
  await endAndWipe(leaseId);
});

test("the removal of a dead host gives back what a pending extension holds", async () => {
  const leaseId = await runningLease();
  await extend(leaseId);
  pass(HOUR / 2);
  await server.pass();
  await market.lender.call("removeHost", { ...h1, body: { dead: true, confirmName: "h1" } });
  expect((await show(leaseId)).extensions).toMatchObject([
    { state: "lapsed", reason: "host-removed" },
  ]);
  await server.pass();
  expect(await hold(leaseId)).toBe(0n);
});
