import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type LeaseId, newId } from "../../src/unit/id.ts";
import { bookingOf, enrolFakeHost, type FakeHost, GIB, offerOf, readGrant } from "./fake-host.ts";
import { codeOf, depositFor } from "./harness.ts";
import { openSearchMarket, placesOf, reasonsAt } from "./search-market.ts";

const { book, endAndWipe, find, market, server } = await openSearchMarket();
afterAll(() => server.stop());

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
