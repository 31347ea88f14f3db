import { afterAll, beforeAll, expect, test } from "vitest";
import type { Response } from "../../src/api/contract/contract.ts";
import { newId } from "../../src/unit/id.ts";
import {
  becomeReady,
  becomeWiped,
  bookingOf,
  type Market,
  makeRecords,
  offerOf,
  openMarket,
  readGrant,
  signBatch,
} from "./fake-host.ts";
import { codeOf, startTestServer, type TestServer } from "./harness.ts";

let server: TestServer;
let market: Market;
beforeAll(async () => {
  server = await startTestServer();
  market = await openMarket(server);
});
afterAll(() => server.stop());

test("search finds what is lendable and meets the requirement, with its quote, and notifies nobody of the rest", async () => {
  const found = await market.client.call("search", { body: bookingOf().requirement });
  expect(found.matches.map((match) => match.partition?.name)).toEqual(["lend"]);
  const [match] = found.matches;
  // 1 core, 1 GiB of memory and 1 GiB of disk for an hour.
  expect(match?.quote).toEqual({
    perHourMicros: "111000",
    fixedMicros: "111000",
    meteredMaxMicros: "0",
    totalMicros: "120000",
  });
  expect(match?.recut).toBe(true);
  expect(JSON.stringify(found)).not.toContain('"own"');
});

test("what does not match says why", async () => {
  const reasons = async (change: Parameters<typeof bookingOf>[0]) => {
    const found = await market.client.call("search", { body: bookingOf(change).requirement });
    expect(found.matches).toEqual([]);
    return found.mismatches[0]?.reasons.map((reason) => reason.code);
  };
  const size = { cpuMilli: 1000, memoryBytes: 2 ** 30, diskBytes: 2 ** 30 };
  expect(await reasons({ size: { ...size, cpuMilli: 4000 } })).toEqual([
    "size-above-maximum",
    "capacity-short",
  ]);
  expect(await reasons({ durationSeconds: 8 * 86_400 })).toEqual(["lease-too-long"]);
  expect(await reasons({ maxPerHourMicros: "100" })).toEqual(["price-above-limit"]);
  expect(await reasons({ maxTotalMicros: "100" })).toEqual(["cost-above-limit"]);
  expect(await reasons({ architecture: "aarch64" })).toEqual(["architecture"]);
  const search = (change: Parameters<typeof bookingOf>[0]) =>
    codeOf(market.client.call("search", { body: bookingOf(change).requirement }));
  expect(await search({ os: "plan-9" })).toBe("image-unknown");
  expect(await reasons({ cpuMode: "shared" })).toEqual(["cpu-mode"]);
  expect(await search({ cpuMode: "shared", size: { ...size, cpuMilli: 9 } })).toBe("unsupported");
  expect(await search({ size: { ...size, cpuMilli: 1500 } })).toBe("unsupported");
});

test("a lease goes from requirement to a paid bill, frozen from preparing until the wipe receipt", async () => {
  const { client, lender, host } = market;
  const leaseId = newId("lease");
  const params = { leaseId };
  const booked = await client.call("bookLease", { params, body: bookingOf() });
  expect(booked.state).toBe("booked");
  const account = () => client.call("showAccount");
  expect(await account()).toMatchObject({ holdsMicros: "120000", freeMicros: "9880000" });
  // The standing size is what the lender set; the re-cut is the lease's.
  await server.pass();
  const partitions = await lender.call("listPartitions");
  const lend = partitions.partitions.find((partition) => partition.name === "lend");
  expect(lend?.size).toEqual({ cpuMilli: 1000, memoryBytes: 2 ** 30, diskBytes: 2 ** 30 });
  expect(lend?.inUse?.leaseId).toBe(leaseId);

  const granted = await readGrant(host, leaseId);
  expect(granted.grant).toMatchObject({
    aud: host.hostId,
    partition: { size: lend?.size },
    agentKeyThumbprint: host.key.kid,
  });
  const resize = () =>
    codeOf(
      lender.call("setPartition", {
        params: { host: "h1", name: "lend" },
        body: {
          lendable: true,
          cpuMode: "dedicated",
          size: { cpuMilli: 1000, memoryBytes: 2 ** 30, diskBytes: 0 },
        },
      }),
    );
  expect(await resize()).toBe("partition-in-use");
  await becomeReady(host, leaseId);
  expect(await resize()).toBe("partition-in-use");
  const ready = await client.call("showLease", { params });
  expect(ready.lease).toMatchObject({ state: "ready", access: { port: 2222, user: "root" } });
  // The lender sees the lease and not the way in.
  expect((await lender.call("showLease", { params })).lease).toMatchObject({ access: null });

  await client.call("endLease", { params });
  expect(await resize()).toBe("partition-in-use");
  const records = makeRecords(host, granted, [600, 900, 300]);
  const send = async (from: number, to: number) => {
    const usageJws = signBatch(host, records.slice(from, to));
    return host.agent.call("sendUsage", { body: { usageJws } });
  };
  await send(2, 3);
  await becomeWiped(host, granted, records);
  await server.pass();
  expect((await client.call("showLease", { params })).lease).toMatchObject({
    state: "ended",
    outcome: "ended-early",
    billId: null,
  });
  expect(await resize()).toBe("done");
  await send(0, 2);
  await send(0, 3);
  await server.pass();
  const { lease, events } = await client.call("showLease", { params });
  expect(events.map((event) => event.kind)).toEqual([
    "booked",
    "preparing",
    "ready",
    "ending",
    "ended",
    "billed",
  ]);
  const { bill } = await client.call("showBill", { params: { billId: lease.billId ?? "bill_" } });
  // Half an hour of 0.111 is 0.0555, which rounds to 0.06.
  expect(bill).toMatchObject({
    sumMicros: "55500",
    totalMicros: "60000",
    remainderMicros: "-4500",
  });
  expect(await account()).toMatchObject({
    balanceMicros: "9940000",
    holdsMicros: "0",
    freeMicros: "9940000",
  });
  expect(await lender.call("showAccount")).toMatchObject({ earningsMicros: "55500" });
  await restoreStanding();
});

async function restoreStanding(): Promise<void> {
  const size = { cpuMilli: 2000, memoryBytes: 2 * 2 ** 30, diskBytes: 10 * 2 ** 30 };
  const params = { host: "h1", name: "lend" };
  await market.lender.call("setPartition", {
    params,
    body: { lendable: true, cpuMode: "dedicated", size, max: { ...size, cpuMilli: 3000 } },
  });
}

test("a client that asks twice gets one lease, and the same id with other content is refused", async () => {
  const { client } = market;
  const params = { leaseId: newId("lease") };
  const start = new Date(Date.now() + 3 * 86_400_000).toISOString();
  const body = bookingOf({ start });
  const [a, b] = await Promise.all([
    client.call("bookLease", { params, body }),
    client.call("bookLease", { params, body }),
  ]);
  expect(a.leaseId).toBe(b.leaseId);
  expect(await client.call("showAccount")).toMatchObject({ holdsMicros: a.quote.totalMicros });
  const other = bookingOf({ start, durationSeconds: 7200 });
  expect(await codeOf(client.call("bookLease", { params, body: other }))).toBe("lease-id-reused");
  const { client: stranger } = await server.party("stranger", ["client"]);
  expect(await codeOf(stranger.call("bookLease", { params, body }))).toBe("lease-id-reused");
  expect(await codeOf(stranger.call("showLease", { params }))).toBe("not-found");
  expect(await codeOf(stranger.call("endLease", { params }))).toBe("not-found");
});

test("a booking for later changes nothing that is in use now, and cancelling it costs nothing", async () => {
  const { client, host, lender } = market;
  const now = await bookNow(client);
  await server.pass();
  const before = await partitionNow();
  const later = { leaseId: newId("lease") };
  const start = new Date(Date.now() + 86_400_000).toISOString();
  await client.call("bookLease", { params: later, body: bookingOf({ start }) });
  expect(await partitionNow()).toEqual(before);
  const holds = (await client.call("showAccount")).holdsMicros;
  const ended = await client.call("endLease", { params: later });
  expect(ended).toMatchObject({ state: "ended", outcome: "cancelled", period: null });
  const after = await client.call("showAccount");
  expect(BigInt(holds) - BigInt(after.holdsMicros)).toBe(120_000n);
  await endAndWipe(host, now);

  async function partitionNow() {
    const { partitions } = await lender.call("listPartitions");
    return partitions.find((partition) => partition.name === "lend");
  }
});

async function bookNow(client: Market["client"]): Promise<Response<"bookLease">["leaseId"]> {
  const leaseId = newId("lease");
  await client.call("bookLease", { params: { leaseId }, body: bookingOf() });
  return leaseId;
}

async function endAndWipe(host: Market["host"], leaseId: Response<"bookLease">["leaseId"]) {
  const granted = await readGrant(host, leaseId);
  await market.client.call("endLease", { params: { leaseId } });
  await becomeWiped(host, granted, []);
  await server.pass();
}

test("the price that was agreed to is the price, and nobody goes below their credit line", async () => {
  const { client, lender } = market;
  const params = { leaseId: newId("lease") };
  const [match] = (await client.call("search", { body: bookingOf().requirement })).matches;
  await lender.call("setOffer", {
    params: { host: "h1", name: "lend" },
    body: offerOf({ priceMicrosPerCoreHour: "200000" }),
  });
  const agreed = { agreedTotalMicros: match?.quote.totalMicros };
  const booking = bookingOf({}, agreed);
  expect(await codeOf(client.call("bookLease", { params, body: booking }))).toBe("price-changed");
  const long = bookingOf({ durationSeconds: 2 * 86_400 });
  expect(await codeOf(client.call("bookLease", { params, body: long }))).toBe("funds-short");
  await lender.call("setOffer", { params: { host: "h1", name: "lend" }, body: offerOf() });
});

test("a lease that ends without any use has a bill of nothing and a hold that is released", async () => {
  const { client, host } = market;
  const before = await client.call("showAccount");
  const leaseId = await bookNow(client);
  await server.pass();
  await endAndWipe(host, leaseId);
  const { lease } = await client.call("showLease", { params: { leaseId } });
  const { bill } = await client.call("showBill", { params: { billId: lease.billId ?? "bill_" } });
  expect(bill).toMatchObject({ totalMicros: "0", used: null });
  expect(await client.call("showAccount")).toEqual(before);
});

test("partitions that stand for ever are counted: their sum never exceeds the base", async () => {
  const { enrolFakeHost } = await import("./fake-host.ts");
  const base = { cpuMilli: 1750, memoryBytes: 2 ** 31, diskBytes: 2 ** 30 };
  await enrolFakeHost(server, market.lender, "small", base);
  const set = (name: string, cpuMilli: number, memoryBytes: number) =>
    codeOf(
      market.lender.call("setPartition", {
        params: { host: "small", name },
        body: {
          lendable: false,
          cpuMode: "shared",
          size: { cpuMilli, memoryBytes, diskBytes: 0 },
          min: { cpuMilli: 10, memoryBytes: 2 ** 20, diskBytes: 0 },
        },
      }),
    );
  expect(await set("a", 1000, 2 ** 30)).toBe("done");
  expect(await set("b", 1000, 2 ** 29)).toBe("capacity-exceeded");
  expect(await set("b", 700, 2 ** 30)).toBe("done");
  expect(await set("b", 700, 2 ** 30 + 2 ** 20)).toBe("capacity-exceeded");
  expect(await set("a", 1050, 2 ** 30)).toBe("done");
  expect(await set("a", 1051, 2 ** 30)).toBe("capacity-exceeded");
  const { hosts } = await market.lender.call("listHosts");
  expect(hosts.find((host) => host.name === "small")?.free.cpuMilli).toBe(0);
});

test("a capacity that is reserved cannot be promised again, nor taken back by a smaller host", async () => {
  const { lender, host } = market;
  const size = { cpuMilli: 2000, memoryBytes: 2 ** 30, diskBytes: 0 };
  const set = (name: string, cpuMilli: number) =>
    codeOf(
      lender.call("setPartition", {
        params: { host: "h1", name },
        body: { lendable: false, cpuMode: "dedicated", size: { ...size, cpuMilli } },
      }),
    );
  expect(await set("more", 2000)).toBe("capacity-exceeded");
  expect(await set("more", 1000)).toBe("done");
  const smaller = { cpuMilli: 3000, memoryBytes: 8 * 2 ** 30, diskBytes: 100 * 2 ** 30 };
  const { capacity } = await import("./fake-host.ts");
  const report = host.agent.call("reportCapacity", { body: capacity(smaller) });
  expect(await codeOf(report)).toBe("host-has-less");
  await lender.call("removePartition", { params: { host: "h1", name: "more" } });
  await host.agent.call("reportCapacity", { body: capacity(smaller) });
});
