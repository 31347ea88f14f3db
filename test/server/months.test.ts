import { afterEach, beforeEach, expect, test } from "vitest";
import { verifyBill } from "../../src/billing/verify/verify-bill.ts";
import type { HashedRecord } from "../../src/meter/record.ts";
import { type Clock, systemClock } from "../../src/unit/clock.ts";
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

/** Leases over the edge of a month, in a market whose months are Berlin's. */

const HOUR = 3600;
const DAY = 86_400;
let server: TestServer;
let market: Market;
let aheadMs = 0;
const clock: Clock = { ...systemClock, now: () => new Date(Date.now() + aheadMs) };
const goTo = (at: string) => {
  aheadMs = Date.parse(at) - Date.now();
};

beforeEach(async () => {
  // Friday before Berlin's clocks go back on 31 October, at whose end the month ends.
  goTo("2027-10-29T10:00:00Z");
  server = await startTestServer(clock, { billingTimeZone: "Europe/Berlin" });
  market = await openMarket(server);
  await depositFor(server, "client", 90_000_000n);
});
afterEach(() => server.stop());

async function borrow(seconds: number) {
  const leaseId = newId("lease");
  const body = bookingOf({ durationSeconds: seconds });
  await market.client.call("bookLease", { params: { leaseId }, body });
  await server.pass();
  const granted = await readGrant(market.host, leaseId);
  await becomeReady(market.host, leaseId);
  return { leaseId, granted };
}
const send = (records: readonly HashedRecord[]) =>
  market.host.agent.call("sendUsage", { body: { usageJws: signBatch(market.host, records) } });
const billsOf = async (leaseId: LeaseId) =>
  (await market.client.call("listBills", { query: { leaseId } })).bills.toReversed();
const account = () => market.client.call("showAccount");
const cpuNs = (bill: { lines: readonly { resource: string; quantity: string }[] }) =>
  BigInt(bill.lines.find(({ resource }) => resource === "cpu")?.quantity ?? 0) / 1000n;

test("a lease over a month's edge and the change of the clocks has a bill for each month", async () => {
  const { leaseId, granted } = await borrow(5 * DAY);
  expect(granted.grant.billingTimeZone).toBe("Europe/Berlin");
  const { holdsMicros: held } = await account();
  const start = Date.parse(granted.grant.period.start);
  const edge = Date.parse("2027-10-31T23:00:00.000Z");
  const untilEdgeNs = BigInt(edge - start) * 1_000_000n;
  // The sixth half day lies over the edge; Berlin's 31 October has 25 hours.
  const records = makeRecords(
    market.host,
    granted,
    Array.from({ length: 10 }, () => 12 * HOUR),
  );
  await send(records.slice(0, 5));
  goTo("2027-10-31T23:30:00Z");
  await server.pass();
  expect(await billsOf(leaseId)).toEqual([]);
  goTo("2027-11-01T12:00:00Z");
  await send(records.slice(5, 6));
  await server.pass();
  await server.pass();
  const [october, ...none] = await billsOf(leaseId);
  expect(none).toEqual([]);
  const first = await exportOf(market.client, october?.billId ?? null);
  expect(first.bill).toMatchObject({
    ...{ number: 1, kind: "interim", timeZone: "Europe/Berlin", previous: null },
    period: { start: granted.grant.period.start, end: "2027-10-31T23:00:00.000Z" },
    evidence: { finalSeq: 6, missing: [] },
  });
  expect(cpuNs(first.bill)).toBe(untilEdgeNs);
  const trustedServerKeys = server.context.keys.all;
  expect(verifyBill(first.exported, { trustedServerKeys })).toMatchObject({ verified: true });
  // What was billed is no longer held; what may still come is.
  const after = await account();
  expect(BigInt(after.holdsMicros)).toBe(BigInt(held) - BigInt(first.bill.totalMicros));
  expect(BigInt(after.balanceMicros)).toBe(100_000_000n - BigInt(first.bill.totalMicros));
  const { lease } = await market.client.call("showLease", { params: { leaseId } });
  expect(lease).toMatchObject({ state: "ready", billId: null });

  goTo("2027-11-03T10:00:00Z");
  await send(records.slice(6));
  const usage = await market.client.call("showUsage", { params: { leaseId } });
  expect(usage).toMatchObject({
    ...{ records: 10, missing: [], billedMicros: first.bill.totalMicros },
    billIds: [first.bill.billId],
  });
  await becomeWiped(market.host, granted, records, "expired");
  await server.pass();
  const [, november] = await billsOf(leaseId);
  const second = await exportOf(market.client, november?.billId ?? null);
  expect(second.bill).toMatchObject({ number: 2, kind: "final", period: { end: null } });
  expect(second.lease.bills[0]?.bill).toEqual(first.bill);
  expect(cpuNs(first.bill) + cpuNs(second.bill)).toBe(BigInt(5 * DAY) * 1_000_000_000n);
  expect(verifyBill(second.exported, { trustedServerKeys })).toMatchObject({
    verified: true,
    // 5 days of a core, 1 GiB and 1 GiB of disk: together what one bill would be.
    totalMicros: String(120n * 111_000n),
  });
  expect(usage.costMicros).toBe(String(120n * 111_000n));
  expect((await account()).holdsMicros).toBe("0");

  const whole = await market.lender.call("exportUsage", {
    query: { from: "2027-11-01T00:00:00Z", to: "2027-12-01T00:00:00Z" },
  });
  expect(verifyBill(whole, { trustedServerKeys })).toMatchObject({ verified: true });
  expect(whole.leases.map((one) => one.leaseId)).toEqual([leaseId]);
  const none2 = await market.lender.call("exportUsage", { query: { to: "2027-10-01T00:00:00Z" } });
  expect(none2.leases).toEqual([]);
});

test("a run over a month's edge is one lease, billed when its last bill is, with all of its bills", async () => {
  const [runId, leaseId] = [newId("run"), newId("lease")];
  const body = {
    ...bookingOf({ durationSeconds: 5 * DAY }),
    run: { runId, kind: "attached" as const, command: "make" },
  };
  await market.client.call("bookLease", { params: { leaseId }, body });
  await server.pass();
  const granted = await readGrant(market.host, leaseId);
  await becomeReady(market.host, leaseId);
  const records = makeRecords(
    market.host,
    granted,
    Array.from({ length: 5 }, () => DAY),
  );
  await send(records);
  goTo("2027-11-03T10:00:00Z");
  await server.pass();
  const show = () => market.client.call("showRun", { params: { runId } });
  const [october, ...none] = await billsOf(leaseId);
  expect(none).toEqual([]);
  expect(await show()).toMatchObject({
    billedMicros: october?.totalMicros,
    leases: [
      { leaseId, billId: null, billIds: [october?.billId], totalMicros: october?.totalMicros },
    ],
  });
  await becomeWiped(market.host, granted, records, "expired");
  await server.pass();
  const [, november] = await billsOf(leaseId);
  const total = String(120n * 111_000n);
  const over = await show();
  expect(over.billedMicros).toBe(total);
  expect(over.leases).toMatchObject([
    {
      leaseId,
      billId: november?.billId,
      billIds: [october?.billId, november?.billId],
      totalMicros: total,
    },
  ]);
  expect((await market.client.call("listRuns", { query: {} })).runs).toEqual([over]);
});

test("a month whose records do not come closes at the deadline, and the next bill corrects it", async () => {
  const { leaseId, granted } = await borrow(7 * DAY);
  const records = makeRecords(
    market.host,
    granted,
    Array.from({ length: 7 }, () => DAY),
  );
  await send(records.slice(0, 1));
  // Records 2 is missing below 3: noticed in the receipt and in what the host is told.
  const { receiptJws } = await send(records.slice(2, 3));
  const receipt = JSON.parse(Buffer.from(receiptJws.split(".")[1] ?? "", "base64url").toString());
  expect(receipt).toMatchObject({ contiguousSeq: 1, missing: [{ fromSeq: 2, toSeq: 2 }] });
  const desired = await market.host.agent.call("readDesired");
  const told = desired.leases.find((one) => one.leaseId === leaseId);
  expect(told?.missing).toEqual([{ fromSeq: 2, toSeq: 2 }]);
  goTo("2027-11-03T22:59:00Z");
  await server.pass();
  expect(await billsOf(leaseId)).toEqual([]);
  goTo("2027-11-03T23:01:00Z");
  await server.pass();
  const [october] = await billsOf(leaseId);
  const first = await exportOf(market.client, october?.billId ?? null);
  expect(first.bill).toMatchObject({
    ...{ kind: "interim", incomplete: true },
    evidence: {
      finalSeq: 1,
      missing: [
        { fromSeq: 2, toSeq: 2 },
        { fromSeq: 4, toSeq: null },
      ],
    },
  });
  expect(cpuNs(first.bill)).toBe(BigInt(DAY) * 1_000_000_000n);

  goTo("2027-11-05T10:00:10Z");
  await send(records.slice(1, 2));
  await send(records.slice(3));
  await becomeWiped(market.host, granted, records, "expired");
  await server.pass();
  const { lease } = await market.client.call("showLease", { params: { leaseId } });
  const last = await exportOf(market.client, lease.billId);
  const corrected = last.bill.lines.filter(({ corrects }) => corrects?.number === 1);
  expect(corrected.length).toBeGreaterThan(0);
  expect(corrected[0]?.period).toEqual(first.bill.period);
  expect(last.lease.bills[0]?.bill).toEqual(first.bill);
  expect(verifyBill(last.exported)).toMatchObject({
    verified: true,
    // 18.648, rounded once over both bills.
    totalMicros: "18650000",
  });
});

test("another content under a record's number is refused, and both parties and the operator see it", async () => {
  const { leaseId, granted } = await borrow(DAY);
  const other = makeRecords(market.host, granted, [60], { cpuNs: 5n });
  await send(makeRecords(market.host, granted, [60]));
  const usageJws = signBatch(market.host, other);
  const again = () => codeOf(market.host.agent.call("sendUsage", { body: { usageJws } }));
  expect(await again()).toBe("record-conflict");
  expect(await again()).toBe("record-conflict");
  for (const party of [market.client, market.lender]) {
    const { events } = await party.call("showLease", { params: { leaseId } });
    const flags = events.filter(({ kind }) => kind === "usage-refused");
    expect(flags).toMatchObject([{ detail: { code: "record-conflict", chainId: leaseId } }]);
  }
  const { flags } = await server.operator.call("listUsageFlags");
  expect(flags).toMatchObject([{ host: { name: "h1" }, detail: { code: "record-conflict" } }]);
});

test("a closed bill does not change, and no record is charged for more than was delivered", async () => {
  const { leaseId, granted } = await borrow(DAY);
  const records = makeRecords(market.host, granted, [HOUR, HOUR]);
  await send(records);
  await becomeWiped(market.host, granted, records);
  await server.pass();
  const { lease } = await market.client.call("showLease", { params: { leaseId } });
  const { pool } = server.database;
  for (const change of [
    "update bill set total_micros = 0",
    "update bill set document = '{}'",
    "delete from bill",
    "update charge set quantity = 0",
    "delete from charge",
  ]) {
    await expect(pool.query(change), change).rejects.toThrow("append-only");
  }
  const { rows } = await pool.query("select seq, quantity from charge where resource = 'time'");
  expect(rows).toHaveLength(2);
  await expect(
    pool.query(
      `insert into bill select 'bill_01k1111111111111111111', lease_id, client_party_id, lender_party_id,
        host_id, closed_at, 0, 0, document, jws, 2, 'correction', null, 2 from bill where bill_id = $1`,
      [lease.billId],
    ),
  ).resolves.toBeDefined();
  await expect(
    pool.query(
      `insert into charge select chain_id, seq, resource, 1, price_micros_per_hour, 'bill_01k1111111111111111111'
        from charge where resource = 'time' and seq = 1`,
    ),
  ).rejects.toThrow(/more than once/);
});

test("a lease of thousands of records is billed", async () => {
  const { leaseId, granted } = await borrow(2 * DAY);
  const lengths = Array.from({ length: 3000 }, () => 57);
  const records = makeRecords(market.host, granted, lengths);
  for (let at = 0; at < records.length; at += 200) await send(records.slice(at, at + 200));
  await becomeWiped(market.host, granted, records);
  await server.pass();
  const { lease } = await market.client.call("showLease", { params: { leaseId } });
  const { exported, bill } = await exportOf(market.client, lease.billId);
  expect(bill.evidence.finalSeq).toBe(3000);
  expect(cpuNs(bill)).toBe(3000n * 57n * 1_000_000_000n);
  expect(verifyBill(exported)).toMatchObject({ verified: true });
});
