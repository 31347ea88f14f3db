import { afterAll, expect, test } from "vitest";
import type { UsageRecord } from "../../src/meter/record.ts";
import {
  allowance,
  CORE_SECOND,
  HOUR_MS,
  NEXT_HOUR_MS,
  openCapacityBilling,
} from "./capacity-billing.ts";
import { codeOf } from "./harness.ts";

const { billsOf, issue, market, newHost, send, server, verified } = await openCapacityBilling();
afterAll(() => server.stop());

type Capacity = NonNullable<UsageRecord["capacity"]>;
const stating = (change: (capacity: Capacity) => Partial<Capacity>) => (record: UsageRecord) =>
  record.capacity
    ? { ...record, capacity: { ...record.capacity, ...change(record.capacity) } }
    : record;

test("a record that came before its neighbour and does not follow from it is billed by what follows, and told; later bills go on", async () => {
  const { host, name, ledger } = await newHost();
  const { code, jws } = await issue(name);
  ledger.accept(code, jws);
  const [meter] = ledger.begin(code, jws, [["p1", allowance(600)]]);
  if (!meter) throw new Error("no meter");
  await host.agent.call("sendActs", { body: { actsJws: ledger.signActs() } });
  ledger.use(meter, NEXT_HOUR_MS, 600, { cpuSeconds: 100 });
  const bend = stating(() => ({ meteredQuantity: "1", debits: [], overdraft: "1" }));
  ledger.use(meter, NEXT_HOUR_MS, 600, { cpuSeconds: 100, bend });
  for (const records of [meter.records.slice(1), meter.records.slice(0, 1)]) {
    await host.agent.call("sendUsage", { body: { usageJws: ledger.signUsage(meter, records) } });
  }
  for (let i = 0; i < 4; i++) ledger.use(meter, NEXT_HOUR_MS, 600, { cpuSeconds: 150 });
  ledger.timeToBill(market.providerId, NEXT_HOUR_MS);
  ledger.use(meter, NEXT_HOUR_MS, 3600, { cpuSeconds: 1200 });
  ledger.timeToBill(market.providerId, NEXT_HOUR_MS + HOUR_MS);
  await send(host, ledger);
  const bills = await billsOf(host.hostId);
  // 200 and 600 core-seconds above 600, at 0.12 an hour.
  expect(bills.map(({ sumMicros }) => sumMicros)).toEqual(["6667", "20000"]);
  expect(bills[0]?.corrected).toEqual([
    { chainId: meter.chainId, seq: 2, meteredQuantity: "0", debits: [], overdraft: "0" },
  ]);
  const { events } = await market.owner.call("showHost", { params: { host: name } });
  const shown = events.filter(({ kind }) => kind === "usage-refused").map(({ detail }) => detail);
  expect(shown).toMatchObject([{ code: "record-corrected", chainId: meter.chainId, seq: 2 }]);
  const { findings } = await verified(bills[1]?.billId ?? "");
  expect(findings).toContain("record-corrected");
});

test("overdraft that is stated while a code has time left is charged by the code, however cheap it is", async () => {
  const { host, name, ledger } = await newHost();
  const { code, jws } = await issue(name, { terms: { overdraftPriceMicrosPerHour: "1" } });
  ledger.accept(code, jws);
  const [meter] = ledger.begin(code, jws, [["p1", null]]);
  if (!meter) throw new Error("no meter");
  const bend = stating(({ meteredQuantity }) => ({ debits: [], overdraft: meteredQuantity }));
  ledger.use(meter, NEXT_HOUR_MS, 3600, { bend });
  ledger.timeToBill(market.providerId, NEXT_HOUR_MS);
  await send(host, ledger);
  const [bill] = await billsOf(host.hostId);
  expect(bill).toMatchObject({
    totalMicros: "240000",
    lines: [{ rule: "dedicated-time", codeId: code.jti }],
    corrected: [{ debits: [{ codeId: code.jti }], overdraft: "0" }],
  });
  await verified(bill?.billId ?? "");
});

test("a later code that is stated while an earlier one has time left is charged by the earlier one", async () => {
  const { host, name, ledger } = await newHost();
  const early = await issue(name, { terms: { validSeconds: 40_000 } });
  const late = await issue(name, { terms: { priceMicrosPerHour: "1" } });
  ledger.accept(early.code, early.jws);
  ledger.accept(late.code, late.jws);
  const [meter] = ledger.begin(early.code, early.jws, [["p1", null]]);
  if (!meter) throw new Error("no meter");
  const bend = stating(({ meteredQuantity: quantity }) => ({
    debits: [{ codeId: late.code.jti, quantity }],
  }));
  ledger.use(meter, NEXT_HOUR_MS, 3600, { bend });
  ledger.timeToBill(market.providerId, NEXT_HOUR_MS);
  await send(host, ledger);
  const [bill] = await billsOf(host.hostId);
  expect(bill).toMatchObject({ totalMicros: "240000", lines: [{ codeId: early.code.jti }] });
  await verified(bill?.billId ?? "");
});

test("a host that was away over a period's edge drew one meter's next period before the other's last: its bills are as it states, and verify", async () => {
  for (const order of ["forward", "backward"] as const) {
    const { host, name, ledger } = await newHost();
    const { code, jws } = await issue(name, { forSeconds: 5400 });
    ledger.accept(code, jws);
    const [first] = ledger.begin(code, jws, [["p1", null]]);
    const [second] = ledger.begin(code, jws, [["p2", null]]);
    if (!first || !second) throw new Error("no meter");
    for (const meter of [first, first, second, second]) ledger.use(meter, NEXT_HOUR_MS, 3600);
    ledger.timeToBill(market.providerId, NEXT_HOUR_MS);
    const usage = [first, second].flatMap((meter) =>
      meter.records.map((one) => ({ usageJws: ledger.signUsage(meter, [one]) })),
    );
    // All that the act names comes last: until then nothing can be billed.
    const named = order === "forward" ? usage : usage.toReversed();
    await host.agent.call("sendActs", { body: { actsJws: ledger.signActs() } });
    for (const body of named) await host.agent.call("sendUsage", { body });
    ledger.timeToBill(market.providerId, NEXT_HOUR_MS + HOUR_MS);
    await send(host, ledger);
    const bills = await billsOf(host.hostId);
    const all = bills.flatMap(({ lines }) => lines);
    const of = (rule: string) =>
      all
        .filter((one) => one.rule === rule)
        .reduce((sum, one) => sum + BigInt(one.amountMicros), 0n);
    // Two hours of two cores twice, of which the code gave an hour and a half of two.
    expect([of("dedicated-time"), of("overdraft")]).toEqual([360_000n, 1_200_000n]);
    expect(bills.at(-1)?.corrected).toBeUndefined();
    for (const { billId } of bills) await verified(billId);
  }
});

test("a record whose threshold no act states for its period is refused by name; it waits while the act may be on its way", async () => {
  const { host, name, ledger } = await newHost();
  const { code, jws } = await issue(name);
  ledger.accept(code, jws);
  const [meter] = ledger.begin(code, jws, [["p1", allowance(600)]]);
  if (!meter) throw new Error("no meter");
  const bend = stating(() => ({ threshold: allowance(3_600_000) }));
  ledger.use(meter, NEXT_HOUR_MS, 3600, { cpuSeconds: 500, bend });
  await host.agent.call("sendActs", { body: { actsJws: ledger.signActs() } });
  const usageJws = ledger.signUsage(meter);
  const sent = () => codeOf(host.agent.call("sendUsage", { body: { usageJws } }));
  expect(await sent()).toBe("acts-first");
  ledger.timeToBill(market.providerId, NEXT_HOUR_MS);
  await host.agent.call("sendActs", { body: { actsJws: ledger.signActs() } });
  expect(await sent()).toBe("record-refused");
});

test("what the owner set counts from the period that its act names, and not before", async () => {
  const { host, name, ledger } = await newHost();
  const { code, jws } = await issue(name);
  ledger.accept(code, jws);
  const [meter] = ledger.begin(code, jws, [["p1", allowance(600)]]);
  if (!meter) throw new Error("no meter");
  ledger.use(meter, NEXT_HOUR_MS, 3600, { cpuSeconds: 700 });
  const { partition } = meter;
  const from = new Date(NEXT_HOUR_MS + HOUR_MS).toISOString();
  const set = { partition, threshold: allowance(1200), from, providerId: market.providerId };
  ledger.act({ kind: "threshold-set", ...set });
  ledger.timeToBill(market.providerId, NEXT_HOUR_MS);
  const later = { ...meter, threshold: allowance(1200), used: new Map<number, bigint>() };
  ledger.meters[ledger.meters.indexOf(meter)] = later;
  ledger.use(later, NEXT_HOUR_MS, 3600, { cpuSeconds: 1300 });
  ledger.timeToBill(market.providerId, NEXT_HOUR_MS + HOUR_MS);
  await send(host, ledger);
  const bills = await billsOf(host.hostId);
  expect(bills.map(({ lines }) => lines.map(({ excess }) => excess))).toEqual([
    [(100n * CORE_SECOND).toString()],
    [(100n * CORE_SECOND).toString()],
  ]);
  for (const { billId } of bills) await verified(billId);
});

test("allowances that together are more than the base pool gives in a period are refused by name", async () => {
  const { host, name, ledger } = await newHost();
  const { code, jws } = await issue(name);
  ledger.accept(code, jws);
  // A base of four cores: 14,400 core-seconds an hour. The first used 10,000 of all of it.
  const [gone] = ledger.begin(code, jws, [["p1", allowance(14_400)]]);
  const [fits] = ledger.begin(code, jws, [["p2", allowance(4_400)]]);
  const [again] = ledger.begin(code, jws, [["p3", allowance(14_400)]]);
  if (!gone || !fits || !again) throw new Error("no meters");
  await host.agent.call("sendActs", { body: { actsJws: ledger.signActs() } });
  ledger.use(gone, NEXT_HOUR_MS, 1800, { cpuSeconds: 10_000 });
  ledger.use(fits, NEXT_HOUR_MS, 600, { cpuSeconds: 0 });
  ledger.use(again, NEXT_HOUR_MS + HOUR_MS / 2, 1800, { cpuSeconds: 10_000 });
  const sent = (meter: typeof gone) =>
    codeOf(host.agent.call("sendUsage", { body: { usageJws: ledger.signUsage(meter) } }));
  expect(await sent(gone)).toBe("done");
  expect(await sent(fits)).toBe("done");
  expect(await sent(again)).toBe("record-refused");
});
