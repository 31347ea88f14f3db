import { afterAll, beforeAll, expect, test } from "vitest";
import type { Clock } from "../../src/unit/clock.ts";
import { systemClock } from "../../src/unit/clock.ts";
import { newId } from "../../src/unit/id.ts";
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
const clock: Clock = { ...systemClock, now: () => new Date(Date.now() + aheadMs) };
beforeAll(async () => {
  server = await startTestServer(clock);
  market = await openMarket(server);
});
afterAll(() => server.stop());

async function later(seconds: number): Promise<void> {
  aheadMs += seconds * 1000;
  await market.host.agent.call("readDesired");
  await server.pass();
}

async function borrow(seconds = 60) {
  const leaseId = newId("lease");
  const body = bookingOf({ durationSeconds: seconds });
  await market.client.call("bookLease", { params: { leaseId }, body });
  await server.pass();
  const granted = await readGrant(market.host, leaseId);
  await becomeReady(market.host, leaseId);
  return { leaseId, granted };
}

const show = async (leaseId: `lease_${string}`) =>
  (await market.client.call("showLease", { params: { leaseId } })).lease;

test("a wipe receipt that comes many minutes late frees the partition all the same", async () => {
  const { leaseId, granted } = await borrow();
  for (let minute = 0; minute < 10; minute++) await later(60);
  expect(await show(leaseId)).toMatchObject({ state: "ending" });
  await becomeWiped(market.host, granted, [], "expired");
  await server.pass();
  const lease = await show(leaseId);
  expect(lease).toMatchObject({ state: "ended", outcome: "completed" });
  expect(lease.billId).not.toBeNull();
  const next = await borrow();
  await becomeWiped(market.host, next.granted, [], "expired");
  await server.pass();
});

test("what an overdue guest still uses is promised to nobody, also when the server was down at the end", async () => {
  const { leaseId, granted } = await borrow();
  await later(3600);
  await later(1);
  const { partitions } = await market.lender.call("listPartitions");
  const lend = partitions.find(({ name }) => name === "lend");
  expect(lend?.inUse?.leaseId).toBe(leaseId);
  expect(lend?.size).toEqual(granted.grant.partition.size);
  const { rows } = await server.database.pool.query(
    "select upper(period) > $1 as held from reservation where lease_id = $2",
    [clock.now(), leaseId],
  );
  expect(rows).toEqual([{ held: true }]);
  await becomeWiped(market.host, granted, [], "expired");
  await server.pass();
});

test("records of one host that cannot be billed keep back nobody else's bill", async () => {
  const { granted: bad } = await borrow();
  const records = makeRecords(market.host, bad, [10, 10]);
  const send = (sent: typeof records) => {
    const usageJws = signBatch(market.host, sent);
    return market.host.agent.call("sendUsage", { body: { usageJws } });
  };
  await send(records);
  const [, last] = records;
  if (!last) throw new Error("there are two records");
  const { hashRecord } = await import("../../src/meter/chain.ts");
  const stray = { ...last.record, seq: 9, previousHash: "0".repeat(64) };
  await send([{ record: stray, hash: hashRecord(stray) }]);
  await becomeWiped(market.host, bad, records, "expired");
  await server.pass();
  expect((await show(bad.grant.leaseId)).billId).not.toBeNull();
  const beyond = { ...stray, seq: 10 };
  expect(await codeOf(send([{ record: beyond, hash: hashRecord(beyond) }]))).toBe("record-refused");
  const { leaseId, granted } = await borrow();
  await becomeWiped(market.host, granted, [], "expired");
  await server.pass();
  expect((await show(leaseId)).billId).not.toBeNull();
});

test("bookings of one partition that are cancelled at once are all cancelled", async () => {
  const ids = await Promise.all(
    Array.from({ length: 6 }, async (_, day) => {
      const leaseId = newId("lease");
      const start = new Date(clock.now().getTime() + (day + 1) * 86_400_000).toISOString();
      await market.client.call("bookLease", { params: { leaseId }, body: bookingOf({ start }) });
      return leaseId;
    }),
  );
  const codes = await Promise.all(
    [...ids, ...ids].map((leaseId) =>
      codeOf(market.client.call("endLease", { params: { leaseId } })),
    ),
  );
  expect(new Set(codes)).toEqual(new Set(["done"]));
  expect(await market.client.call("showAccount")).toMatchObject({ holdsMicros: "0" });
});

test("a host cannot speak for a lease that it was not granted", async () => {
  const leaseId = newId("lease");
  const start = new Date(clock.now().getTime() + 86_400_000).toISOString();
  const body = bookingOf({ start });
  await market.client.call("bookLease", { params: { leaseId }, body });
  for (const kind of ["ending", "undelivered"] as const) {
    await expect(market.host.report({ kind, leaseId, reason: "a-test" })).rejects.toThrow(
      "lease-not-granted",
    );
  }
  await expect(becomeReady(market.host, leaseId)).rejects.toThrow("lease-not-granted");
  expect(await show(leaseId)).toMatchObject({ state: "booked" });
  await market.client.call("endLease", { params: { leaseId } });
});

test("a booking for later keeps its partition lendable and large enough, and nothing else", async () => {
  const leaseId = newId("lease");
  const start = new Date(clock.now().getTime() + 86_400_000).toISOString();
  await market.client.call("bookLease", { params: { leaseId }, body: bookingOf({ start }) });
  const size = { cpuMilli: 1000, memoryBytes: 2 ** 30, diskBytes: 2 ** 30 };
  const max = { cpuMilli: 3000, memoryBytes: 2 ** 31, diskBytes: 2 ** 34 };
  const set = (change: object) =>
    codeOf(
      market.lender.call("setPartition", {
        params: { host: "h1", name: "lend" },
        body: { lendable: true, cpuMode: "dedicated", size, max, ...change },
      }),
    );
  expect(await set({ lendable: false })).toBe("partition-booked");
  expect(await set({ cpuMode: "shared" })).toBe("partition-booked");
  const smaller = { ...size, memoryBytes: 2 ** 29 };
  expect(await set({ size: smaller, max: smaller })).toBe("partition-booked");
  expect(await set({ size: smaller })).toBe("done");
  expect(await set({})).toBe("done");
  await market.client.call("endLease", { params: { leaseId } });
  expect(await set({ size: smaller, max: smaller })).toBe("done");
});
