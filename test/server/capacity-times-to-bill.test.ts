import { afterAll, expect, test } from "vitest";
import { Ledger } from "../../src/billing/verify/capacity/ledger.sample.ts";
import { TIMES_TO_BILL } from "../../src/enablement/capacity/act.ts";
import type { UsageRecord } from "../../src/meter/record.ts";
import {
  allowance,
  CORE_SECOND,
  HOUR_MS,
  NEXT_HOUR_MS,
  openCapacityBilling,
} from "./capacity-billing.ts";

const { billsOf, issue, market, newHost, passed, send, server, verified } =
  await openCapacityBilling();
afterAll(() => server.stop());

/** A host with one dedicated core of a code, in service. */
async function world() {
  const { host, name, ledger } = await newHost();
  const { code, jws } = await issue(name);
  ledger.accept(code, jws);
  const [meter] = ledger.begin(code, jws, [["p1", null]]);
  if (!meter) throw new Error("no meter");
  return { host, name, ledger, meter, code };
}

test.each(TIMES_TO_BILL)("a time to bill for %s closes a bill that says so", async (reason) => {
  const { host, ledger, meter } = await world();
  ledger.use(meter, NEXT_HOUR_MS, 600);
  const act = ledger.timeToBill(market.providerId, NEXT_HOUR_MS, reason);
  await send(host, ledger);
  const bills = await billsOf(host.hostId);
  expect(bills.map((bill) => bill.act)).toEqual([
    { seq: act.record.seq, hash: act.hash, at: act.record.at, reason },
  ]);
  await verified(bills[0]?.billId ?? "");
});

test("records that do not add up once all are there are billed by what follows, and the host is flagged once", async () => {
  const { host, name, ledger } = await newHost();
  const { code, jws } = await issue(name);
  ledger.accept(code, jws);
  const [meter] = ledger.begin(code, jws, [["p1", allowance(600)]]);
  if (!meter) throw new Error("no meter");
  ledger.use(meter, NEXT_HOUR_MS, 600, { cpuSeconds: 300 });
  // 300 core-seconds above; it says 400, which could be while the record before it is not there.
  const bend = (record: UsageRecord): UsageRecord => {
    if (!record.capacity) return record;
    const quantity = "400000000000000";
    const debits = [{ codeId: code.jti, quantity }];
    return { ...record, capacity: { ...record.capacity, meteredQuantity: quantity, debits } };
  };
  ledger.use(meter, NEXT_HOUR_MS, 600, { cpuSeconds: 600, bend });
  ledger.timeToBill(market.providerId, NEXT_HOUR_MS);
  await host.agent.call("sendActs", { body: { actsJws: ledger.signActs() } });
  for (const records of [meter.records.slice(1), meter.records.slice(0, 1)]) {
    const body = { usageJws: ledger.signUsage(meter, records) };
    await host.agent.call("sendUsage", { body });
  }
  for (let pass = 0; pass < 2; pass++) {
    const bills = await billsOf(host.hostId);
    const corrected = [{ chainId: meter.chainId, seq: 2, meteredQuantity: "300000000000000" }];
    // 300 core-seconds at 0.12 an hour.
    expect(bills).toMatchObject([{ corrected, totalMicros: "10000" }]);
  }
  const { events } = await market.owner.call("showHost", { params: { host: name } });
  expect(events.filter(({ kind }) => kind === "usage-refused")).toMatchObject([
    { detail: { code: "record-corrected", chainId: meter.chainId, seq: 2 } },
  ]);
});

test("a bill whose acts lack says which, charges what they would begin to nobody, and the next one does", async () => {
  const { host, name, ledger } = await newHost();
  const { code, jws } = await issue(name);
  ledger.accept(code, jws);
  const [p1, p2] = ledger.begin(code, jws, [
    ["p1", allowance(60)],
    ["p2", allowance(60)],
  ]);
  if (!p1 || !p2) throw new Error("no meters");
  for (const meter of [p1, p2]) ledger.use(meter, NEXT_HOUR_MS, 600, { cpuSeconds: 660 });
  ledger.timeToBill(market.providerId, NEXT_HOUR_MS);
  const late = ledger.acts.slice(3, 4);
  expect(late[0]?.record.act).toMatchObject({ kind: "chain-begun", chainId: p2.chainId });
  const early = ledger.acts.filter((act) => !late.includes(act));
  await host.agent.call("sendActs", { body: { actsJws: ledger.signActs(early) } });
  await host.agent.call("sendUsage", { body: { usageJws: ledger.signUsage(p1) } });
  expect(await billsOf(host.hostId)).toEqual([]);
  await passed(host.hostId);
  const [first] = await billsOf(host.hostId);
  expect(first).toMatchObject({
    ...{ incomplete: true, totalMicros: "20000" },
    evidence: {
      missing: [{ chainId: p2.chainId, fromSeq: 1, toSeq: 1 }],
      missingActs: [{ fromSeq: 4, toSeq: 4 }],
    },
    lines: [{ partition: { name: "p1" } }],
  });
  await verified(first?.billId ?? "");
  ledger.timeToBill(market.providerId, NEXT_HOUR_MS, "demand");
  await send(host, ledger);
  const [kept, second] = await billsOf(host.hostId);
  expect(kept).toEqual(first);
  expect(second?.incomplete).toBeUndefined();
  expect(second?.evidence.missingActs).toEqual([]);
  expect(second?.lines.find(({ partition }) => partition.name === "p2")).toMatchObject({
    amountMicros: "20000",
  });
  expect(second?.totalMicros).toBe("20000");
  await verified(second?.billId ?? "");
});

test("a host that does not report is overdue, and what it did not give back or trust is shown, to its provider and its owner", async () => {
  const { host, name, ledger: late, code, meter: first } = await world();
  const now = Date.now();
  const edge = Math.floor(now / HOUR_MS) * HOUR_MS;
  const begun = edge - 2 * HOUR_MS;
  // As it reported two hours ago, by a code that wants a report every hour.
  const ledger = new Ledger(host.hostId, host.key, begun);
  ledger.accept(code, first.codeJws);
  const [meter] = ledger.begin(code, first.codeJws, [["p1", null]]);
  if (!meter) throw new Error("no meter");
  const { serviceId } = meter;
  const stands = async () => {
    const params = { host: host.hostId };
    const sold = await market.provider.call("showCapacityHost", { params });
    const { hosts } = await market.provider.call("listCapacityHosts");
    const own = await market.owner.call("listOwnCapacityHosts");
    expect(hosts.find((one) => one.hostId === host.hostId)).toEqual(sold);
    expect(own.hosts.find((one) => one.hostId === host.hostId)).toEqual(sold);
    return sold;
  };
  expect(await stands()).toMatchObject({ overdue: false, reportedUntil: null, name });
  const report = () => host.agent.call("sendActs", { body: { actsJws: ledger.signActs() } });
  await report();
  expect(await stands()).toMatchObject({ overdue: true, unreturned: [] });
  ledger.nowMs = now;
  ledger.runNs += 7200n * 1_000_000_000n;
  ledger.act({ kind: "unreturned", serviceId, reason: "validity-end", means: null });
  ledger.act({ kind: "provider-untrusted", providerId: market.providerId });
  await report();
  const untrustedSince = new Date(now).toISOString();
  expect(await stands()).toMatchObject({ overdue: true, unreturned: [serviceId], untrustedSince });
  const pieces = [3600, 3600, Math.floor((now - edge) / 1000)].filter((seconds) => seconds > 0);
  for (const seconds of pieces) ledger.use(meter, begun, seconds);
  await send(host, ledger);
  expect(await stands()).toMatchObject({ overdue: false, unreturned: [serviceId], untrustedSince });
  ledger.act({ kind: "service-returned", serviceId, reason: "validity-end", means: "ask" });
  ledger.act({ kind: "provider-trusted", providerId: market.providerId, kids: ["k"] });
  await report();
  expect(await stands()).toMatchObject({ unreturned: [], untrustedSince: null, setBack: [] });
  expect(late.acts).toHaveLength(3);
});

test("time is recorded exactly, and a line is rounded once for all of its period", async () => {
  const { host, name, ledger } = await newHost();
  const minute = 60n * CORE_SECOND;
  const terms = { increment: minute.toString(), rounding: "up" as const };
  const { code, jws } = await issue(name, { quantity: 1000, terms });
  ledger.accept(code, jws);
  const [meter] = ledger.begin(code, jws, [["p1", null]]);
  if (!meter) throw new Error("no meter");
  for (const seconds of [25, 25, 25]) {
    ledger.use(meter, NEXT_HOUR_MS, seconds);
    ledger.timeToBill(market.providerId, NEXT_HOUR_MS, "demand");
  }
  await send(host, ledger);
  const bills = await billsOf(host.hostId);
  const inTurn = bills.toSorted((a, b) => a.number - b.number);
  const told = inTurn.map(({ lines: [line] }) => [
    BigInt(line?.quantity ?? 0) / CORE_SECOND,
    BigInt(line?.billedQuantity ?? 0) / minute,
    line?.amountMicros,
  ]);
  // 0.12 an hour: a minute costs 0.002, and is begun twice.
  expect(told).toEqual([
    [25n, 1n, "2000"],
    [50n, 1n, "0"],
    [75n, 2n, "2000"],
  ]);
  await verified(inTurn[2]?.billId ?? "");
});
