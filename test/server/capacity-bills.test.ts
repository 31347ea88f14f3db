import { afterAll, expect, test } from "vitest";
import { newId } from "../../src/unit/id.ts";
import { disorderIn } from "../setup/order.ts";
import {
  allowance,
  CORE_SECOND,
  HOUR_MS,
  NEXT_HOUR_MS,
  openCapacityBilling,
} from "./capacity-billing.ts";

const { balance, billsOf, issue, market, newHost, passed, send, server, verified } =
  await openCapacityBilling();
afterAll(() => server.stop());

test("dedicated capacity is billed for the time in service, to the owner, and earned by the provider", async () => {
  const { host, name, ledger } = await newHost();
  const { code, jws } = await issue(name);
  ledger.accept(code, jws);
  const [meter] = ledger.begin(code, jws, [["p1", null]]);
  if (!meter) throw new Error("no meter");
  for (let minute = 0; minute < 30; minute++) ledger.use(meter, NEXT_HOUR_MS, 60);
  ledger.timeToBill(market.providerId, NEXT_HOUR_MS);
  const before = await market.owner.call("showAccount", {});
  await send(host, ledger);
  const [bill, ...others] = await billsOf(host.hostId);
  expect(others).toEqual([]);
  // Two cores for half an hour at 0.12 a core-hour.
  expect(bill).toMatchObject({
    ...{ number: 1, totalMicros: "120000", client: { name: "owner" }, lender: { name: "vendor" } },
    act: { reason: "period-end" },
  });
  expect(bill?.lines).toHaveLength(1);
  expect(bill?.lines[0]).toMatchObject({
    ...{ rule: "dedicated-time", partition: { name: "p1" }, amountMicros: "120000" },
    quantity: (3600n * CORE_SECOND).toString(),
    records: [{ chainId: meter.chainId, fromSeq: 1, toSeq: 30 }],
  });
  const after = await market.owner.call("showAccount", {});
  expect(BigInt(after.balanceMicros)).toBe(BigInt(before.balanceMicros) - 120_000n);
  expect(BigInt(after.balanceMicros)).toBeLessThan(0n);
  expect(await balance()).toBe(0n);
  expect(await billsOf(host.hostId)).toHaveLength(1);
  await verified(bill?.billId ?? "");
});

test("of two partitions in the pool the one below its threshold pays nothing, the other exactly its excess", async () => {
  const { host, name, ledger } = await newHost();
  const { code, jws } = await issue(name);
  ledger.accept(code, jws);
  const [p1, p2] = ledger.begin(code, jws, [
    ["p1", allowance(1800)],
    ["p2", allowance(600)],
  ]);
  if (!p1 || !p2) throw new Error("no meters");
  for (let step = 0; step < 4; step++) {
    ledger.use(p1, NEXT_HOUR_MS, 600, { cpuSeconds: 300 });
    ledger.use(p2, NEXT_HOUR_MS, 600, { cpuSeconds: 300 });
  }
  ledger.timeToBill(market.providerId, NEXT_HOUR_MS);
  await send(host, ledger);
  const [bill] = await billsOf(host.hostId);
  const lines = bill?.lines.map(({ partition, rule, threshold, used, excess, amountMicros }) => ({
    ...{ partition: partition.name, rule, threshold, used, excess, amountMicros },
  }));
  const cores = (seconds: number) => (BigInt(seconds) * CORE_SECOND).toString();
  expect(lines).toEqual([
    {
      ...{ partition: "p1", rule: "allowance-excess", threshold: allowance(1800) },
      ...{ used: cores(1200), excess: "0", amountMicros: "0" },
    },
    {
      ...{ partition: "p2", rule: "allowance-excess", threshold: allowance(600) },
      // 600 core-seconds above: a sixth of a core-hour.
      ...{ used: cores(1200), excess: cores(600), amountMicros: "20000" },
    },
  ]);
  await verified(bill?.billId ?? "");
});

test("2 cores for 15 minutes cost nothing under an allowance of 30 core-minutes, and 22.5 under half a core", async () => {
  const rate = { kind: "rate", cpuMilli: 500, intervalSeconds: 60 } as const;
  for (const [threshold, excess] of [
    [allowance(1800), 0n],
    [rate, 1350n * CORE_SECOND],
  ] as const) {
    const { host, name, ledger } = await newHost();
    const rule =
      threshold.kind === "rate"
        ? { kind: "rate" as const, intervalSeconds: 60 }
        : { kind: "allowance" as const };
    const { code, jws } = await issue(name, { terms: { threshold: rule } });
    ledger.accept(code, jws);
    const [meter] = ledger.begin(code, jws, [["p1", threshold]]);
    if (!meter) throw new Error("no meter");
    for (let minute = 0; minute < 15; minute++) {
      ledger.use(meter, NEXT_HOUR_MS, 60, { cpuSeconds: 120 });
    }
    ledger.timeToBill(market.providerId, NEXT_HOUR_MS);
    await send(host, ledger);
    const [bill] = await billsOf(host.hostId);
    expect(bill?.lines).toHaveLength(1);
    expect(bill?.lines[0]).toMatchObject({
      ...{ rule: `${threshold.kind}-excess`, quantity: excess.toString() },
      used: (1800n * CORE_SECOND).toString(),
    });
    await verified(bill?.billId ?? "");
  }
});

test("the code that expires first is drawn first, each line at its own code's price, and then the overdraft", async () => {
  const { host, name, ledger } = await newHost();
  const early = await issue(name, { forSeconds: 600, terms: { validSeconds: 40_000 } });
  const late = await issue(name, { forSeconds: 600, terms: { priceMicrosPerHour: "60000" } });
  ledger.accept(late.code, late.jws);
  ledger.accept(early.code, early.jws);
  const [meter] = ledger.begin(early.code, early.jws, [["p1", null]]);
  if (!meter) throw new Error("no meter");
  for (let step = 0; step < 3; step++) ledger.use(meter, NEXT_HOUR_MS, 600);
  ledger.use(meter, NEXT_HOUR_MS, 600, { isUnreturned: true });
  ledger.timeToBill(market.providerId, NEXT_HOUR_MS);
  await send(host, ledger);
  const [bill] = await billsOf(host.hostId);
  expect(bill?.lines.map(({ rule, codeId, amountMicros }) => [rule, codeId, amountMicros])).toEqual(
    [
      ["dedicated-time", early.code.jti, "40000"],
      ["dedicated-time", late.code.jti, "20000"],
      ["overdraft", early.code.jti, "80000"],
      ["unreturned", early.code.jti, "120000"],
    ],
  );
  await verified(bill?.billId ?? "");
  const { hosts: stands } = await market.provider.call("listCapacityHosts");
  const stand = stands.find((one) => one.hostId === host.hostId);
  expect(stand?.codes.map(({ left, accepted }) => [left, accepted])).toEqual([
    ["0", true],
    ["0", true],
  ]);
});

test("a bill waits for the records that its time to bill names; after the deadline it says what lacks, and what comes later is a correction", async () => {
  const { host, name, ledger } = await newHost();
  const { code, jws } = await issue(name);
  ledger.accept(code, jws);
  const [meter] = ledger.begin(code, jws, [["p1", allowance(600)]]);
  if (!meter) throw new Error("no meter");
  for (let step = 0; step < 6; step++) ledger.use(meter, NEXT_HOUR_MS, 600, { cpuSeconds: 300 });
  const act = ledger.timeToBill(market.providerId, NEXT_HOUR_MS);
  await host.agent.call("sendActs", { body: { actsJws: ledger.signActs() } });
  const early = ledger.signUsage(meter, meter.records.slice(0, 3));
  const last = ledger.signUsage(meter, meter.records.slice(5));
  await host.agent.call("sendUsage", { body: { usageJws: early } });
  await host.agent.call("sendUsage", { body: { usageJws: last } });
  expect(await billsOf(host.hostId)).toEqual([]);
  await passed(host.hostId);
  const [first] = await billsOf(host.hostId);
  expect(first).toMatchObject({
    incomplete: true,
    act: { seq: act.record.seq },
    evidence: { missing: [{ chainId: meter.chainId, fromSeq: 4, toSeq: 5 }] },
    lines: [{ quantity: (300n * CORE_SECOND).toString() }],
  });
  await verified(first?.billId ?? "");
  const late = ledger.signUsage(meter, meter.records.slice(3, 5));
  await host.agent.call("sendUsage", { body: { usageJws: late } });
  const [kept, second] = await billsOf(host.hostId);
  expect(kept).toEqual(first);
  expect(second?.incomplete).toBeUndefined();
  expect(second).toMatchObject({
    corrects: { billId: first?.billId, number: 1 },
    lines: [{ amountMicros: "30000", quantity: (1200n * CORE_SECOND).toString() }],
  });
  await verified(second?.billId ?? "");
  ledger.use(meter, NEXT_HOUR_MS, 60, { cpuSeconds: 60 });
  ledger.timeToBill(market.providerId, NEXT_HOUR_MS + HOUR_MS, "demand");
  await send(host, ledger);
  const [, , third, ...more] = await billsOf(host.hostId);
  expect(more).toEqual([]);
  expect(third?.lines).toMatchObject([{ used: (60n * CORE_SECOND).toString(), amountMicros: "0" }]);
  await verified(third?.billId ?? "");
});

test("a demand in the middle of a period and its end share one allowance", async () => {
  const { host, name, ledger } = await newHost();
  const { code, jws } = await issue(name);
  ledger.accept(code, jws);
  const [meter] = ledger.begin(code, jws, [["p1", allowance(600)]]);
  if (!meter) throw new Error("no meter");
  await host.agent.call("sendActs", { body: { actsJws: ledger.signActs() } });
  ledger.use(meter, NEXT_HOUR_MS, 1800, { cpuSeconds: 900 });
  const { demandedAt } = await market.provider.call("demandBill", {
    params: { host: host.hostId },
  });
  const demand = { providerId: market.providerId, demandedAt };
  expect((await host.agent.call("readDesired")).billNow).toEqual([demand]);
  ledger.timeToBill(market.providerId, NEXT_HOUR_MS, "demand");
  await send(host, ledger);
  expect((await host.agent.call("readDesired")).billNow).toEqual([]);
  ledger.use(meter, NEXT_HOUR_MS, 1800, { cpuSeconds: 900 });
  ledger.timeToBill(market.providerId, NEXT_HOUR_MS);
  await send(host, ledger);
  const bills = await billsOf(host.hostId);
  expect(bills.map(({ act, lines }) => [act.reason, lines.map((one) => one.amountMicros)])).toEqual(
    [
      ["demand", ["10000"]],
      ["period-end", ["30000"]],
    ],
  );
  await verified(bills[1]?.billId ?? "");
});

test("a demand with nothing to bill is settled by a bill of nothing, which is verified", async () => {
  const { host, name, ledger } = await newHost();
  const { code, jws } = await issue(name);
  ledger.accept(code, jws);
  ledger.begin(code, jws, [["p1", null]]);
  await host.agent.call("sendActs", { body: { actsJws: ledger.signActs() } });
  await market.provider.call("demandBill", { params: { host: host.hostId } });
  ledger.timeToBill(market.providerId, NEXT_HOUR_MS, "demand");
  await send(host, ledger);
  expect((await host.agent.call("readDesired")).billNow).toEqual([]);
  const stand = await market.provider.call("showCapacityHost", { params: { host: host.hostId } });
  expect(stand.demandedAt).toBeNull();
  const bills = await billsOf(host.hostId);
  expect(bills).toMatchObject([
    { act: { reason: "demand" }, lines: [], used: null, totalMicros: "0", number: 1 },
  ]);
  await verified(bills[0]?.billId ?? "");
});

test("what a lease used of a lent code is billed by that code, and the owner's own use passes it over", async () => {
  const { host, name, ledger } = await newHost();
  const lent = await issue(name, { quantity: 1000, terms: { validSeconds: 86_400 } });
  const own = await issue(name, { quantity: 1000 });
  for (const { code, jws } of [lent, own]) ledger.accept(code, jws);
  const codeId = lent.code.jti;
  ledger.act({ kind: "code-lent", codeId });
  const [owner] = ledger.begin(own.code, own.jws, [["own", null]]);
  const [lease] = ledger.begin(lent.code, lent.jws, [["leased", null]]);
  if (!owner || !lease) throw new Error("no meter");
  const { serviceId } = lease;
  const codes = [{ codeId, quantity: (600n * CORE_SECOND).toString() }];
  ledger.act({ kind: "resource-time-reserved", serviceId, leaseId: newId("lease"), codes });
  ledger.use(lease, NEXT_HOUR_MS, 600);
  const [first] = ledger.accounts;
  if (!first) throw new Error("it was accepted");
  // The host draws nothing for its owner from what is lent, though that expires first.
  ledger.accounts[0] = { ...first, reserved: first.resourceTime };
  ledger.use(owner, NEXT_HOUR_MS, 900);
  ledger.act({ kind: "resource-time-freed", serviceId });
  ledger.timeToBill(market.providerId, NEXT_HOUR_MS, "lease-end");
  await send(host, ledger);
  const [bill] = await billsOf(host.hostId);
  expect(bill?.act.reason).toBe("lease-end");
  const quantities = bill?.lines.map(({ codeId: by, quantity }) => [by, quantity]);
  expect(new Set(quantities)).toEqual(
    new Set([
      [codeId, (600n * CORE_SECOND).toString()],
      [own.code.jti, (900n * CORE_SECOND).toString()],
    ]),
  );
  await verified(bill?.billId ?? "");
});

test("after all of this nothing in the database is out of order", async () => {
  expect(await disorderIn(server.database.pool, "always")).toEqual([]);
});
