import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Client } from "../../src/api/client/client.ts";
import type { Response, SentBody } from "../../src/api/contract/contract.ts";
import { type LeaseId, newId } from "../../src/unit/id.ts";
import {
  becomeReady,
  becomeWiped,
  bookingOf,
  capacity,
  enrolFakeHost,
  type FakeHost,
  GIB,
  type Market,
  makeRecords,
  offerOf,
  openMarket,
  readGrant,
  signBatch,
} from "./fake-host.ts";
import { codeOf, depositFor, startTestServer, type TestServer } from "./harness.ts";

let server: TestServer;
let market: Market;
beforeAll(async () => {
  server = await startTestServer();
  market = await openMarket(server);
  await depositFor(server, "client", 100_000_000n);
});
afterAll(() => server.stop());

type Found = Response<"search">;
const find = (change: Parameters<typeof bookingOf>[0] = {}, client: Client = market.client) =>
  client.call("search", { body: bookingOf(change).requirement });
const placesOf = ({ matches }: Pick<Found, "matches">) =>
  matches.map(({ host, partition }) => `${host.name}/${partition?.name ?? "carved"}`);
const reasonsAt = (found: Found, host: string) =>
  found.mismatches.find((one) => one.host.name === host)?.reasons.map(({ code }) => code);

async function book(
  change: Parameters<typeof bookingOf>[0] = {},
  client = market.client,
): Promise<Response<"bookLease">> {
  const params = { leaseId: newId("lease") };
  return client.call("bookLease", { params, body: bookingOf(change) });
}

async function endAndWipe(host: FakeHost, leaseId: LeaseId, client = market.client): Promise<void> {
  const ended = await client.call("endLease", { params: { leaseId } });
  // The server's own pass may have granted it by now, or not.
  if (ended.state !== "ended") await becomeWiped(host, await readGrant(host, leaseId), []);
  await server.pass();
}

describe("conditions of an offer", () => {
  const params = { host: "h1", name: "lend" };
  const offer = (change: Partial<SentBody<"setOffer">> = {}) =>
    market.lender.call("setOffer", { params, body: offerOf(change) });

  test("only within its windows is a partition lent, and the next one is the counter-offer", async () => {
    const windows = [{ days: ["mon" as const], from: "08:00", to: "20:00" }];
    await offer({ windows, timeZone: "Europe/Berlin" });
    const inside = "2027-03-29T06:00:00.000Z"; // A Monday at 08:00 in Berlin, one day into summer.
    expect(placesOf(await find({ start: inside, durationSeconds: 12 * 3600 }))).toEqual([
      "h1/lend",
    ]);
    const found = await find({ start: "2027-03-26T06:00:00.000Z", durationSeconds: 12 * 3600 });
    expect(reasonsAt(found, "h1")).toEqual(["outside-windows"]);
    expect(found.mismatches[0]?.reasons[0]?.message).toBe(
      "it is lent mon 08:00-20:00 Europe/Berlin",
    );
    expect(found.mismatches[0]?.counter).toEqual({ kind: "start", start: inside });
    const late = await find({ start: inside, durationSeconds: 12 * 3600 + 1 });
    expect(late.mismatches[0]).toMatchObject({
      reasons: [{ code: "outside-windows" }],
      // No window is so long: there is the whole of one.
      counter: { kind: "duration", durationSeconds: 12 * 3600 },
    });
    await offer();
  });

  test("a window or time zone that is none is refused", async () => {
    const refused = async (change: Partial<SentBody<"setOffer">>) => codeOf(offer(change));
    expect(await refused({ timeZone: "Europe/Atlantis" })).toBe("invalid-input");
    const windows = [{ days: ["mon" as const], from: "20:00", to: "08:00" }];
    expect(await refused({ windows })).toBe("invalid-input");
    expect(await refused({ borrowers: { who: "only", parties: ["nobody"] } })).toBe("not-found");
  });

  test("whoever may not borrow never sees the offer, neither as match nor as mismatch", async () => {
    const { client: other } = await server.party("other", ["client"]);
    const seenBy = async (client: Client) => {
      const found = await find({}, client);
      const tooMuch = await find({ durationSeconds: 8 * 86_400 }, client);
      return [found.matches.length, found.mismatches.length + tooMuch.mismatches.length];
    };
    const set = await offer({ borrowers: { who: "only", parties: ["client"] } });
    expect(set.borrowers).toMatchObject({ who: "only", parties: [{ name: "client" }] });
    expect(await seenBy(market.client)).toEqual([1, 1]);
    expect(await seenBy(other)).toEqual([0, 0]);
    const offerId = set.offerId;
    const booking = { params: { leaseId: newId("lease") }, body: bookingOf({}, { offerId }) };
    expect(await codeOf(other.call("bookLease", booking))).toBe("no-match");
    await offer({ borrowers: { who: "except", parties: ["client"] } });
    expect(await seenBy(market.client)).toEqual([0, 0]);
    expect(await seenBy(other)).toEqual([1, 1]);
    await offer();
    expect(await seenBy(other)).toEqual([1, 1]);
  });

  test("labels and the internet are matched, and the grant says whether there is internet", async () => {
    await offer({ labels: { region: "eu", tier: "a" }, internet: true });
    expect(placesOf(await find({ labels: { region: "eu" } }))).toEqual(["h1/lend"]);
    const elsewhere = await find({ labels: { region: "us", colour: "red" } });
    expect(elsewhere.mismatches[0]?.reasons).toEqual([
      { code: "labels", message: "its region is eu" },
      { code: "labels", message: "it has no label colour" },
    ]);
    const grantOf = async (internet: boolean) => {
      const { leaseId } = await book({ internet });
      await server.pass();
      const { grant } = await readGrant(market.host, leaseId);
      await endAndWipe(market.host, leaseId);
      return grant.internet;
    };
    expect(await grantOf(true)).toBe(true);
    expect(await grantOf(false)).toBe(false);
    await offer();
    expect(reasonsAt(await find({ internet: true }), "h1")).toEqual(["internet"]);
  });

  test("a host that cannot give the internet is not matched, and may not offer it", async () => {
    await offer({ internet: true });
    const { facts, ...told } = capacity({
      cpuMilli: 4000,
      memoryBytes: 8 * GIB,
      diskBytes: 100 * GIB,
    });
    const without = { ...facts, internet: false, internetReason: "nft is missing" };
    const report = (given: typeof facts) =>
      market.host.agent.call("reportCapacity", { body: { ...told, facts: given } });
    await report(without);
    expect(reasonsAt(await find({ internet: true }), "h1")).toEqual(["internet-unavailable"]);
    expect(placesOf(await find())).toEqual(["h1/lend"]);
    expect(await codeOf(offer({ internet: true }))).toBe("internet-unsupported");
    await offer();
    await report(facts);
  });
});

describe("shared cpu", () => {
  const params = { host: "pool", name: "slice" };
  const half = { cpuMilli: 500, memoryBytes: GIB, diskBytes: GIB };
  const SHARED = { cpuMode: "shared" as const, size: half };
  const base = { cpuMilli: 3750, memoryBytes: 8 * GIB, diskBytes: 100 * GIB };
  let pool: FakeHost;
  beforeAll(async () => {
    pool = await enrolFakeHost(server, market.lender, "pool", base);
    const body = { lendable: true, cpuMode: "shared" as const, size: { ...half, cpuMilli: 1500 } };
    await market.lender.call("setPartition", { params, body });
    const prices = { priceMicrosPerCoreHour: "900000", priceMicrosPerSharedCoreHour: "80000" };
    await market.lender.call("setOffer", { params, body: offerOf(prices) });
  });

  test("is refused by name where the host cannot share cores", async () => {
    expect(reasonsAt(await find(SHARED), "pool")).toEqual(["shared-cpu-unavailable"]);
    const { capacity } = await import("./fake-host.ts");
    const { facts, ...rest } = capacity(base);
    const body = { ...rest, facts: { ...facts, sharedCpu: true } };
    await pool.agent.call("reportCapacity", { body });
    expect(placesOf(await find(SHARED))).toEqual(["pool/slice"]);
  });

  test("is quoted by the most that can be used, held, and billed by what was used", async () => {
    const found = await find(SHARED);
    expect(found.matches[0]?.quote).toEqual({
      perHourMicros: "51000",
      fixedMicros: "11000",
      meteredMaxMicros: "40000",
      totalMicros: "60000",
    });
    const before = await market.client.call("showAccount");
    const { leaseId } = await book(SHARED);
    const held = await market.client.call("showAccount");
    expect(BigInt(held.holdsMicros) - BigInt(before.holdsMicros)).toBe(60_000n);
    await server.pass();
    const granted = await readGrant(pool, leaseId);
    await becomeReady(pool, leaseId);
    // Half of the entitlement used for half an hour.
    const records = makeRecords(pool, granted, [1800], { cpuNs: 450_000_000_000n });
    await pool.agent.call("sendUsage", { body: { usageJws: signBatch(pool, records) } });
    await market.client.call("endLease", { params: { leaseId } });
    await becomeWiped(pool, granted, records);
    await server.pass();
    const { lease } = await market.client.call("showLease", { params: { leaseId } });
    const params = { billId: lease.billId ?? "bill_" } as const;
    const { bill } = await market.client.call("showBill", { params });
    expect(bill.lines[0]).toMatchObject({
      resource: "cpu",
      rule: "used-while-delivered",
      quantity: "450000000000000",
      priceMicrosPerHour: "80000",
      amountMicros: "10000",
    });
    expect(bill.sumMicros).toBe("15500");
    const { verifyBill } = await import("../../src/billing/verify/verify-bill.ts");
    const exported = await market.client.call("exportUsage", { query: params });
    expect(verifyBill(exported)).toMatchObject({ verified: true, totalMicros: "20000" });
  });
});

describe("what may be carved from a host", () => {
  const base = { cpuMilli: 10_000, memoryBytes: 16 * GIB, diskBytes: 100 * GIB };
  const cores = (count: number) => ({ cpuMilli: count * 1000, memoryBytes: GIB, diskBytes: GIB });
  const wish = (count: number, more: Parameters<typeof bookingOf>[0] = {}) => ({
    size: cores(count),
    labels: { place: "farm" },
    ...more,
  });
  const labels = { place: "farm" };
  let farm: FakeHost;
  const carve = (max = base) =>
    market.lender.call("setCarveOffer", {
      params: { host: "farm" },
      body: { ...offerOf({ labels }), max },
    });
  const partitionsOfFarm = async () =>
    (await market.lender.call("showHost", { params: { host: "farm" } })).partitions;
  beforeAll(async () => {
    farm = await enrolFakeHost(server, market.lender, "farm", base);
    await carve();
  });

  test("two of ten cores rented leave eight to rent at once, and all ten after the end", async () => {
    const found = await find(wish(2));
    expect(placesOf(found)).toEqual(["farm/carved"]);
    expect(found.matches[0]).toMatchObject({ partition: null, size: cores(2), recut: false });
    const two = await book(wish(2));
    expect(two.partition.name).toMatch(/^carved-/);
    expect(placesOf(await find(wish(8)))).toEqual(["farm/carved"]);
    const nine = await find(wish(9));
    expect(reasonsAt(nine, "farm")).toEqual(["capacity-short"]);
    // Nine of ten is nearer than waiting for as long as the lease lasts.
    expect(nine.mismatches.find(({ host }) => host.name === "farm")?.counter).toEqual({
      kind: "size",
      size: cores(8),
    });
    const eight = await book(wish(8));
    expect(eight.partition.id).not.toBe(two.partition.id);
    expect(await codeOf(book(wish(1)))).toBe("no-match");
    await server.pass();
    for (const { leaseId } of [two, eight]) await endAndWipe(farm, leaseId);
    expect(placesOf(await find(wish(10)))).toEqual(["farm/carved"]);
    expect(await partitionsOfFarm()).toEqual([]);
  });

  test("the partition is the host's for its lease alone: not before its grant, not after its wipe", async () => {
    const desired = async () => (await farm.agent.call("readDesired")).partitions;
    const start = new Date(Date.now() + 86_400_000).toISOString();
    const later = await book(wish(3, { start }));
    expect(await desired()).toEqual([]);
    const { leaseId, partition } = await book(wish(2));
    await server.pass();
    expect(await desired()).toMatchObject([
      { partitionId: partition.id, size: cores(2), lendable: true, cpuMode: "dedicated" },
    ]);
    const grant = await readGrant(farm, leaseId);
    expect(grant.grant.partition).toMatchObject({ name: partition.name, size: cores(2) });
    await endAndWipe(farm, leaseId);
    const after = await farm.agent.call("readDesired");
    expect(after.partitions).toEqual([]);
    expect(after.removedPartitionIds).toContain(partition.id);
    await market.client.call("endLease", { params: { leaseId: later.leaseId } });
    const { rows } = await server.database.pool.query(
      `select count(*)::int as standing from reservation r join partition p using (partition_id)
        where p.carved and r.lease_id is null`,
    );
    expect(rows).toEqual([{ standing: 0 }]);
  });

  test("no more is carved at once than the lender lets, whoever writes it", async () => {
    await carve({ ...base, cpuMilli: 4000 });
    // For later, so that the freeze has no say in it.
    const start = new Date(Date.now() + 86_400_000).toISOString();
    const three = await book(wish(3, { start }));
    expect(reasonsAt(await find(wish(2, { start })), "farm")).toEqual(["capacity-short"]);
    const copy = (column: string, value: string) =>
      server.database.pool.query(
        `insert into reservation (reservation_id, host_id, partition_id, lease_id, cpu_milli,
            memory_bytes, disk_bytes, period)
          select 'reservation_x', host_id, partition_id, ${column}, ${value}, memory_bytes, disk_bytes,
            tstzrange(upper(period), upper(period) + '1 hour') from reservation where lease_id = $1`,
        [three.leaseId],
      );
    await expect(copy("null", "1000")).rejects.toMatchObject({
      constraint: "carved_for_lease_only",
    });
    await expect(
      server.database.pool.query("update reservation set cpu_milli = 5000 where lease_id = $1", [
        three.leaseId,
      ]),
    ).rejects.toMatchObject({ constraint: "carve_limit" });
    await endAndWipe(farm, three.leaseId);
    await carve();
  });

  test("of many clients at once as many get a part as there are parts", async () => {
    const clients = await Promise.all(
      Array.from({ length: 8 }, async (_, index) => {
        const name = `carver-${index}`;
        const { client } = await server.party(name, ["client"]);
        await depositFor(server, name, 10_000_000n);
        return client;
      }),
    );
    const booked = await Promise.allSettled(clients.map((client) => book(wish(2), client)));
    const leases = booked.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
    expect(leases).toHaveLength(5);
    for (const [index, one] of booked.entries()) {
      if (one.status === "rejected") expect(one.reason.code).toBeOneOf(["just-taken", "no-match"]);
      else await endAndWipe(farm, one.value.leaseId, clients[index]);
    }
  });

  test("what a re-cut partition leaves over is carved at once, and its early end takes nothing back", async () => {
    const params = { host: "farm", name: "whole" };
    const size = { ...base, memoryBytes: 8 * GIB, diskBytes: 50 * GIB };
    const body = { lendable: true, cpuMode: "dedicated" as const, size };
    await market.lender.call("setPartition", { params, body });
    await market.lender.call("setOffer", { params, body: offerOf({ labels }) });
    expect(placesOf(await find(wish(2)))).toEqual(["farm/whole"]);
    const two = await book(wish(2, { durationSeconds: 7200 }));
    expect(two.partition.name).toBe("whole");
    const eight = await book(wish(8));
    expect(eight.partition.name).toMatch(/^carved-/);
    await server.pass();
    await endAndWipe(farm, two.leaseId);
    // Until the eight are free the whole has the two that are left.
    const whole = async () => (await partitionsOfFarm()).find(({ name }) => name === "whole")?.size;
    expect(await whole()).toMatchObject({ cpuMilli: 2000 });
    expect(await codeOf(market.lender.call("setPartition", { params, body }))).toBe("done");
    expect(placesOf(await find(wish(2)))).toEqual(["farm/whole"]);
    await endAndWipe(farm, eight.leaseId);
    expect(placesOf(await find(wish(10)))).toEqual(["farm/whole"]);
    await market.lender.call("removePartition", { params });
  });

  test("names that begin with carved- are the server's own, and more than the host has is refused", async () => {
    const set = market.lender.call("setPartition", {
      params: { host: "farm", name: "carved-mine" },
      body: { lendable: true, cpuMode: "dedicated", size: cores(1) },
    });
    expect(await codeOf(set)).toBe("invalid-input");
    expect(await codeOf(carve({ ...base, cpuMilli: 11_000 }))).toBe("size-outside-limits");
  });

  describe("several partitions at once", () => {
    const bookAll = (count: number, leaseIds: LeaseId[], more: object = {}) =>
      market.client.call("bookLeases", {
        body: { ...bookingOf(wish(3, { count, ...more })), leaseIds },
      });
    const ids = (count: number) => Array.from({ length: count }, () => newId("lease"));

    test("search says whether so many can be had at once, which, and what they cost in all", async () => {
      const three = await find(wish(3, { count: 3 }));
      expect(three.together).toMatchObject({ wanted: 3, totalMicros: "960000" });
      expect(placesOf(three.together)).toEqual(["farm/carved", "farm/carved", "farm/carved"]);
      const four = await find(wish(3, { count: 4 }));
      expect(four.together.matches).toHaveLength(3);
      const dear = await find(wish(3, { count: 3, maxTotalMicros: "640000" }));
      expect(dear.together.matches).toHaveLength(2);
    });

    test("all are booked or none, and the same ids are the same leases", async () => {
      const holds = async () => (await market.client.call("showAccount")).holdsMicros;
      const before = await holds();
      expect(await codeOf(bookAll(4, ids(4)))).toBe("no-match");
      expect(await codeOf(bookAll(3, ids(2)))).toBe("invalid-input");
      expect(await holds()).toBe(before);
      const leaseIds = ids(3);
      const { leases } = await bookAll(3, leaseIds);
      expect(leases.map(({ leaseId }) => leaseId)).toEqual(leaseIds);
      expect(new Set(leases.map(({ partition }) => partition.id)).size).toBe(3);
      const again = await bookAll(3, leaseIds);
      expect(again.leases.map(({ leaseId }) => leaseId)).toEqual(leaseIds);
      expect(BigInt(await holds()) - BigInt(before)).toBe(960_000n);
      const [first = newId("lease")] = leaseIds;
      expect(await codeOf(bookAll(3, [first, ...ids(2)]))).toBe("lease-id-reused");
      for (const leaseId of leaseIds) await endAndWipe(farm, leaseId);
    });

    test("one client that cannot pay for all gets none", async () => {
      const { client } = await server.party("poor", ["client"]);
      await depositFor(server, "poor", 700_000n);
      const body = { ...bookingOf(wish(3, { count: 3 })), leaseIds: ids(3) };
      expect(await codeOf(client.call("bookLeases", { body }))).toBe("funds-short");
      expect((await client.call("showAccount")).holdsMicros).toBe("0");
      const { leases } = await client.call("listLeases", { query: {} });
      expect(leases).toEqual([]);
    });
  });
});

test("a booking for later is countered with the earliest time, and the nearest counter-offer comes first", async () => {
  const start = new Date(Date.now() + 30 * 86_400_000).toISOString();
  const { offers } = await market.lender.call("listOffers");
  const offerId = offers.find(({ partition }) => partition?.name === "lend")?.offerId;
  const params = { leaseId: newId("lease") };
  await market.client.call("bookLease", { params, body: bookingOf({ start }, { offerId }) });
  const hourLater = new Date(new Date(start).getTime() + 3_630_000).toISOString();
  const found = await find({ start });
  const [first] = found.mismatches;
  expect(first).toMatchObject({
    partition: { name: "lend" },
    reasons: [{ code: "taken" }],
    counter: { kind: "start", start: hourLater },
  });
  const asked = await find({ start: hourLater });
  expect(placesOf(asked)).toContain("h1/lend");
  await market.client.call("endLease", { params });
});
