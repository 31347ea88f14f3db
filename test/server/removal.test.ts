import { afterEach, beforeEach, expect, test } from "vitest";
import { RECORDS_DEADLINE_HOURS } from "../../src/billing/time-to-close.ts";
import { verifyBill } from "../../src/billing/verify/verify-bill.ts";
import { LOST_AFTER_MS } from "../../src/host/liveness.ts";
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
import { codeOf, startTestServer, type TestServer } from "./harness.ts";

let server: TestServer;
let market: Market;
let aheadMs: number;
const clock: Clock = {
  ...systemClock,
  now: () => new Date(systemClock.now().getTime() + aheadMs),
};
beforeEach(async () => {
  aheadMs = 0;
  server = await startTestServer(clock);
  market = await openMarket(server);
});
afterEach(() => server.stop());

const h1 = { params: { host: "h1" } };
const HOUR_MS = 3_600_000;
const remove = (body: { dead?: boolean; confirmName?: string } = {}) =>
  market.lender.call("removeHost", { ...h1, body });
const dead = { dead: true, confirmName: "h1" };
const shown = (leaseId: LeaseId) => market.client.call("showLease", { params: { leaseId } });

async function book(change: Parameters<typeof bookingOf>[0] = {}): Promise<LeaseId> {
  const leaseId = newId("lease");
  await market.client.call("bookLease", { params: { leaseId }, body: bookingOf(change) });
  await server.pass();
  return leaseId;
}

/** The bill of an ended lease, and what an auditor without the server makes of it. */
async function audited(leaseId: LeaseId) {
  const { lease } = await shown(leaseId);
  const { exported, bill } = await exportOf(market.client, lease.billId);
  const { verified, findings } = verifyBill(exported);
  return { bill, verified, codes: findings.map(({ code }) => code) };
}

test("a host with open leases is not removed, and its lender is told which; without any it is", async () => {
  const { lender, client, host } = market;
  const running = await book();
  const later = await book({ start: new Date(clock.now().getTime() + 24 * HOUR_MS).toISOString() });
  const told = await remove().catch((error: Error) => error);
  expect(told).toMatchObject({ code: "host-has-leases" });
  for (const leaseId of [running, later]) {
    expect((told as Error).message).toContain(leaseId);
    await client.call("endLease", { params: { leaseId } });
  }
  await becomeWiped(host, await readGrant(host, running), []);
  await server.pass();
  expect(await remove()).toMatchObject({ hostId: host.hostId, endedLeaseIds: [] });
  expect(await codeOf(remove())).toBe("not-found");
  expect((await lender.call("listHosts")).hosts).toEqual([]);
  const byId = await lender.call("showHost", { params: { host: host.hostId } });
  expect(byId.host.state).toBe("removed");
  expect((await lender.call("listOffers")).offers).toEqual([]);
  // Its agent is told so by name, and the name is free for another.
  expect(await codeOf(host.agent.call("reportCapacity", { body: {} as never }))).toBe(
    "host-removed",
  );
  await lender.call("addHost", { body: { name: "h1" } });
});

test("a dead host is removed by its name: leases end, holds are settled, nothing is claimed that nobody can prove", async () => {
  const { client, host } = market;
  const before = await client.call("showAccount");
  const running = await book({ durationSeconds: 4 * 3600 });
  const granted = await readGrant(host, running);
  await becomeReady(host, running);
  const records = makeRecords(host, granted, [600, 600, 600]);
  // The second never comes.
  for (const part of [records.slice(0, 1), records.slice(2, 3)]) {
    await host.agent.call("sendUsage", { body: { usageJws: signBatch(host, part) } });
  }
  const later = await book({ start: new Date(clock.now().getTime() + 24 * HOUR_MS).toISOString() });
  expect(await codeOf(remove(dead))).toBe("host-alive");
  aheadMs += LOST_AFTER_MS + 1000;
  await server.pass();
  expect(await codeOf(remove({ dead: true, confirmName: "h2" }))).toBe("name-not-confirmed");
  expect(await codeOf(remove({ dead: true }))).toBe("name-not-confirmed");
  expect((await remove(dead)).endedLeaseIds.toSorted()).toEqual([running, later].toSorted());
  await server.pass();

  expect((await shown(running)).lease).toMatchObject({
    ...{ state: "ended", outcome: "failed", reason: "host-removed", access: null },
  });
  expect((await shown(later)).lease).toMatchObject({
    ...{ state: "ended", outcome: "not-delivered", reason: "host-removed" },
  });
  const { bill, verified, codes } = await audited(running);
  expect(bill).toMatchObject({ incomplete: true, estimated: false, evidence: { finalSeq: 1 } });
  expect(bill.elapsedNs).toBe("600000000000");
  expect(verified).toBe(true);
  expect(codes).toEqual(expect.arrayContaining(["bill-incomplete", "host-removed"]));
  const after = await client.call("showAccount");
  expect(after.holdsMicros).toBe("0");
  expect(BigInt(before.balanceMicros) - BigInt(after.balanceMicros)).toBe(BigInt(bill.totalMicros));
});

test("a host that comes back after its removal is told so, and wipes by signed end alone", async () => {
  const { host } = market;
  const running = await book({ durationSeconds: 4 * 3600 });
  const granted = await readGrant(host, running);
  await becomeReady(host, running);
  aheadMs += LOST_AFTER_MS + 1000;
  await remove(dead);
  await server.pass();
  const usageJws = signBatch(host, makeRecords(host, granted, [60]));
  expect(await codeOf(host.agent.call("sendUsage", { body: { usageJws } }))).toBe("host-removed");
  expect(await codeOf(host.agent.call("reportCapacity", { body: {} as never }))).toBe(
    "host-removed",
  );
  const desired = await host.agent.call("readDesired");
  expect(desired.partitions).toEqual([]);
  expect(desired.leases).toMatchObject([{ leaseId: running, endJws: expect.any(String) }]);
  const before = await audited(running);
  await becomeWiped(host, granted, [], "host-removed");
  expect((await shown(running)).events.at(-1)).toMatchObject({ kind: "wiped-after-removal" });
  expect((await host.agent.call("readDesired")).leases).toEqual([]);
  expect(await audited(running)).toEqual(before);
});

test("going around the code that asks first, a removal is guarded and final", async () => {
  const { host } = market;
  const running = await book();
  const refused = (statement: string) =>
    server.database.pool.query(statement.replaceAll("$host", host.hostId)).then(
      () => "done",
      (error: { constraint?: string }) => error.constraint,
    );
  const mark = "update host set removed_at = now() where host_id = '$host'";
  expect(await refused(mark)).toBe("host_in_use");
  // Without a removal of the host no statement takes the place of a wipe receipt.
  expect(
    await refused(`update lease set state = 'ended', outcome = 'failed', ended_at = now(),
      removal_jws = 'x.y.z' where lease_id = '${running}'`),
  ).toBe("lease_removal");
  aheadMs += LOST_AFTER_MS + 1000;
  await remove(dead);
  expect(await refused("update host set removed_at = null where host_id = '$host'")).toBe(
    "host_removed",
  );
  expect(await refused("update partition set removed_at = null where host_id = '$host'")).toBe(
    "partition_removed",
  );
  expect(
    await refused(`insert into reservation select 'reservation_x', host_id, partition_id, lease_id,
      1000, 1, 0, tstzrange(now(), now() + '1 hour') from lease where lease_id = '${running}'`),
  ).toBe("host_removed");
});

test("a bill closes at the deadline on what was shown, and what comes later is corrected", async () => {
  const { client, host, lender } = market;
  const leaseId = await book();
  const granted = await readGrant(host, leaseId);
  await becomeReady(host, leaseId);
  const records = makeRecords(host, granted, [600, 600, 600]);
  const send = (part: typeof records) => {
    const usageJws = signBatch(host, part);
    return { usageJws, code: () => codeOf(host.agent.call("sendUsage", { body: { usageJws } })) };
  };
  expect(await send(records.slice(0, 1)).code()).toBe("done");
  await client.call("endLease", { params: { leaseId } });
  await becomeWiped(host, granted, records);
  aheadMs += (RECORDS_DEADLINE_HOURS - 1) * HOUR_MS;
  await server.pass();
  expect((await shown(leaseId)).lease.billId).toBeNull();
  expect(BigInt((await client.call("showAccount")).holdsMicros)).toBeGreaterThan(0n);
  aheadMs += 2 * HOUR_MS;
  await server.pass();
  await server.pass();
  const { bill, verified, codes } = await audited(leaseId);
  expect(bill).toMatchObject({ incomplete: true, estimated: false, evidence: { finalSeq: 1 } });
  expect(verified).toBe(true);
  expect(codes).toContain("bill-incomplete");
  expect((await client.call("showAccount")).holdsMicros).toBe("0");

  expect(bill.evidence.missing).toEqual([{ fromSeq: 2, toSeq: 3 }]);

  // What comes late is taken, also twice, and is the lines of a correction; the closed bill stays.
  const late = send(records.slice(1));
  expect(await late.code()).toBe("done");
  expect(await late.code()).toBe("done");
  await server.pass();
  await server.pass();
  const { bills } = await lender.call("listBills", { query: { leaseId } });
  expect(bills.map(({ number, kind }) => [number, kind])).toEqual([
    [2, "correction"],
    [1, "final"],
  ]);
  const correction = await exportOf(client, bills[0]?.billId ?? null);
  expect(correction.lease.bills[0]?.bill).toEqual(bill);
  expect(correction.bill.lines[0]).toMatchObject({
    ...{ resource: "cpu", quantity: (1_200_000_000_000n * 1000n).toString() },
    corrects: { billId: bill.billId, number: 1 },
    records: { fromSeq: 1, toSeq: 3 },
  });
  expect(verifyBill(correction.exported).verified).toBe(true);
  // Both together cost what one bill would have: a core, 1 GiB and 1 GiB of disk for half an hour.
  const paid = BigInt(bill.totalMicros) + BigInt(correction.bill.totalMicros);
  expect(paid).toBe(60_000n);
  expect((await client.call("showAccount")).balanceMicros).toBe(String(10_000_000n - paid));
});
