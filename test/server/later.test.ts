import { afterAll, beforeAll, expect, test } from "vitest";
import { verifyBill } from "../../src/billing/verify/verify-bill.ts";
import { grantDueOnce } from "../../src/enablement/grant-due.ts";
import type { Clock } from "../../src/unit/clock.ts";
import { type LeaseId, newId } from "../../src/unit/id.ts";
import { exportOf } from "./exported.ts";
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
import { codeOf, depositFor, startTestServer, type TestServer } from "./harness.ts";

let aheadMs = 0;
const clock: Clock = {
  now: () => new Date(Date.now() + aheadMs),
  monotonicNs: () => process.hrtime.bigint(),
  bootId: () => "boot",
};

let server: TestServer;
let market: Market;
beforeAll(async () => {
  server = await startTestServer(clock);
  market = await openMarket(server);
  await depositFor(server, "client", 90_000_000n);
});
afterAll(() => server.stop());

async function pass(seconds: number): Promise<void> {
  aheadMs += seconds * 1000;
  await market.host.agent.call("readDesired");
  await server.pass();
}

async function book(inSeconds: number, client = market.client): Promise<LeaseId> {
  const leaseId = newId("lease");
  const start = new Date(clock.now().getTime() + inSeconds * 1000).toISOString();
  const body = bookingOf(inSeconds === 0 ? {} : { start });
  await client.call("bookLease", { params: { leaseId }, body });
  await server.pass();
  return leaseId;
}

const show = (leaseId: LeaseId) => market.client.call("showLease", { params: { leaseId } });

test("a booking for later waits for the wipe of its predecessor, says so once, and is not charged for it", async () => {
  const { client, host } = market;
  const first = await book(0);
  await becomeReady(host, first);
  const firstGrant = await readGrant(host, first);
  const second = await book(3600 + 40);
  // The host of the first is slow to wipe: the second's time begins without it.
  await pass(3600 + 45);
  await pass(60);
  const context = {
    db: server.database,
    issuer: { serverId: server.context.serverId, key: server.context.keys.current },
    billingTimeZone: "UTC",
    onNeverGranted: async () => undefined,
  };
  await Promise.all([1, 2, 3].map(() => grantDueOnce(context, clock.now())));
  const waiting = await show(second);
  expect(waiting.lease).toMatchObject({ state: "booked", reason: "predecessor-not-wiped" });
  expect(waiting.events.map(({ kind }) => kind)).toEqual(["booked", "waiting"]);
  expect(JSON.stringify(waiting.events)).not.toContain(first);

  await becomeWiped(host, firstGrant, [], "expired");
  await Promise.all([server.pass(), server.pass()]);
  const granted = await readGrant(host, second);
  const preparing = await show(second);
  expect(preparing.lease).toMatchObject({ state: "preparing", reason: null });
  expect(preparing.events.filter(({ kind }) => kind === "preparing")).toHaveLength(1);
  await becomeReady(host, second);

  // It was there 100 s after its begin; what follows is delivered to the granted end.
  const start = Date.parse(granted.grant.period.start);
  const late = { ...granted, grant: { ...granted.grant } };
  late.grant.period = { ...late.grant.period, start: new Date(start + 100_000).toISOString() };
  const records = makeRecords(host, late, [3500]);
  await host.agent.call("sendUsage", { body: { usageJws: signBatch(host, records) } });
  await becomeWiped(host, granted, records, "expired");
  await server.pass();
  const { lease } = await show(second);
  const { exported, bill } = await exportOf(client, lease.billId);
  expect(bill.lines.at(-1)).toMatchObject({
    rule: "not-delivered",
    quantity: "100000000000",
    amountMicros: "0",
    cause: "late",
    event: { kind: "waiting", reason: "predecessor-not-wiped" },
  });
  expect(bill.lines[0]?.quantity).toBe((3_500_000_000_000n * 1000n).toString());
  const trustedServerKeys = server.context.keys.all;
  expect(verifyBill(exported, { trustedServerKeys })).toMatchObject({ verified: true });
  const { holdsMicros } = await client.call("showAccount");
  expect(holdsMicros).toBe("0");
});

test("a booking that waited for its whole period is over, and costs nothing", async () => {
  const { client, host } = market;
  const first = await book(0);
  const firstGrant = await readGrant(host, first);
  const second = await book(3600 + 40);
  await pass(3600 + 60);
  await pass(3600);
  const { lease } = await show(second);
  expect(lease).toMatchObject({ outcome: "not-delivered", reason: "partition-not-free-in-time" });
  await becomeWiped(host, firstGrant, [], "expired");
  await server.pass();
  expect((await client.call("showAccount")).holdsMicros).toBe("0");
});

test("a booking whose period passed while the server was away is settled by its host's word", async () => {
  const { client, host } = market;
  const leaseId = await book(3600);
  await pass(3 * 3600);
  const granted = await readGrant(host, leaseId);
  await host.report({ kind: "failed", leaseId, reason: "grant-expired", message: "a test" });
  await becomeWiped(host, granted, [], "grant-expired");
  await server.pass();
  const { lease } = await show(leaseId);
  expect(lease).toMatchObject({ outcome: "not-delivered", reason: "grant-expired" });
  expect((await client.call("showAccount")).holdsMicros).toBe("0");
});

test("what an early end leaves unused is another client's at once after the wipe", async () => {
  const { client, host } = market;
  const { client: other } = await server.party("other", ["client"]);
  await depositFor(server, "other", 1_000_000n);
  const first = await book(0);
  await becomeReady(host, first);
  const granted = await readGrant(host, first);
  await client.call("endLease", { params: { leaseId: first } });
  const params = { leaseId: newId("lease") };
  const body = bookingOf();
  expect(await codeOf(other.call("bookLease", { params, body }))).toBe("no-match");
  await becomeWiped(host, granted, []);
  expect(await codeOf(other.call("bookLease", { params, body }))).toBe("done");
  await server.pass();
  expect((await client.call("showAccount")).holdsMicros).toBe("0");
  const next = await readGrant(host, params.leaseId);
  expect(next.grant.partition.name).toBe("lend");
  await becomeReady(host, params.leaseId);
  await other.call("endLease", { params });
  await becomeWiped(host, next, []);
});
