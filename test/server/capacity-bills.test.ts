import { sql } from "kysely";
import { afterAll, beforeAll, expect, test } from "vitest";
import { capacityBillSchema } from "../../src/billing/capacity/bill.ts";
import { Ledger } from "../../src/billing/verify/capacity/ledger.sample.ts";
import { verifyBill } from "../../src/billing/verify/verify-bill.ts";
import type { CapacityTerms, Threshold } from "../../src/enablement/capacity/terms.ts";
import { usageBatchSchema } from "../../src/meter/record.ts";
import { claimedPayload, sign } from "../../src/signature/envelope.ts";
import { type HostId, newId } from "../../src/unit/id.ts";
import { type CapacityMarket, farHost, openCapacityMarket } from "./capacity-market.ts";
import { capacity, enrolFakeHost, type FakeHost, GIB } from "./fake-host.ts";
import { codeOf, startTestServer, type TestServer } from "./harness.ts";

const HOUR_MS = 3_600_000;
const NEXT_HOUR_MS = Math.ceil(Date.now() / HOUR_MS) * HOUR_MS;
const CORE_SECOND = 1000n * 1_000_000_000n;
const allowance = (coreSeconds: number): Threshold => ({
  kind: "allowance",
  milliCoreNs: (BigInt(coreSeconds) * CORE_SECOND).toString(),
});

let server: TestServer;
let market: CapacityMarket;
let hosts = 1;
beforeAll(async () => {
  server = await startTestServer();
  market = await openCapacityMarket(server);
});
afterAll(() => server.stop());

/** A host of its own for each test: bills are numbered by host. */
async function newHost(): Promise<{ host: FakeHost; name: string; ledger: Ledger }> {
  const name = `m${++hosts}`;
  const host = await enrolFakeHost(server, market.owner, name);
  const base = { cpuMilli: 4000, memoryBytes: 8 * GIB, diskBytes: 100 * GIB };
  const standby = { cpuMilli: 4000, memoryBytes: GIB, diskBytes: 0 };
  await host.agent.call("reportCapacity", { body: { ...capacity(base), standby } });
  return { host, name, ledger: new Ledger(host.hostId, host.key, NEXT_HOUR_MS) };
}

async function issue(
  name: string,
  { forSeconds = 86_400, quantity = 2000, terms = {} as Partial<CapacityTerms> } = {},
) {
  const { requestId } = await market.owner.call("requestCapacity", {
    body: {
      ...{ requestId: newId("request"), host: name, provider: "vendor" },
      ...{ resource: "cpu" as const, quantity, forSeconds },
    },
  });
  const body = { codeId: newId("code"), request: requestId, terms };
  const { code, payload } = await market.provider.call("issueCode", { body });
  return { code: payload, jws: code.codeJws };
}

async function send(host: FakeHost, ledger: Ledger): Promise<void> {
  await host.agent.call("sendActs", { body: { actsJws: ledger.signActs() } });
  for (const meter of ledger.meters) {
    if (meter.records.length === 0) continue;
    await host.agent.call("sendUsage", { body: { usageJws: ledger.signUsage(meter) } });
  }
}

/** The capacity bills of a host, by number, as its owner sees them. */
async function billsOf(hostId: HostId) {
  await server.pass();
  const { bills } = await market.owner.call("listBills", { query: { limit: 200 } });
  const own = bills.filter((bill) => bill.host.id === hostId).toReversed();
  return Promise.all(
    own.map(async ({ billId }) => {
      const { bill } = await market.owner.call("showBill", { params: { billId } });
      return capacityBillSchema.parse(bill);
    }),
  );
}

async function verified(billId: string) {
  const query = { billId: billId as `bill_${string}` };
  const exported = await market.owner.call("exportUsage", { query });
  const { verified: holds, findings } = verifyBill(exported);
  expect(findings.filter(({ severity }) => severity === "differs")).toEqual([]);
  expect(holds).toBe(true);
  return exported;
}

const balance = () =>
  sql<{ sum: bigint }>`select coalesce(sum(amount_micros), 0)::bigint as sum from ledger_entry`
    .execute(server.database.kysely)
    .then(({ rows }) => rows[0]?.sum);

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
  ledger.use(meter, NEXT_HOUR_MS, 60, { cpuSeconds: 60 });
  ledger.timeToBill(market.providerId, NEXT_HOUR_MS + HOUR_MS, "demand");
  await send(host, ledger);
  const [kept, second] = await billsOf(host.hostId);
  expect(kept).toEqual(first);
  expect(second?.incomplete).toBeUndefined();
  expect(second?.lines).toMatchObject([
    {
      ...{ corrects: { billId: first?.billId, number: 1 }, amountMicros: "30000" },
      quantity: (1200n * CORE_SECOND).toString(),
    },
    { used: (60n * CORE_SECOND).toString(), amountMicros: "0" },
  ]);
  await verified(second?.billId ?? "");
});

/** As if the deadline since its acts came had passed. */
async function passed(hostId: HostId): Promise<void> {
  const db = server.database.kysely;
  await sql`alter table capacity_act disable trigger capacity_act_append`.execute(db);
  await sql`update capacity_act set received_at = received_at - interval '73 hours'
    where host_id = ${hostId}`.execute(db);
  await sql`alter table capacity_act enable trigger capacity_act_append`.execute(db);
}

test("a demand in the middle of a period and its end share one allowance", async () => {
  const { host, name, ledger } = await newHost();
  const { code, jws } = await issue(name);
  ledger.accept(code, jws);
  const [meter] = ledger.begin(code, jws, [["p1", allowance(600)]]);
  if (!meter) throw new Error("no meter");
  await host.agent.call("sendActs", { body: { actsJws: ledger.signActs() } });
  ledger.use(meter, NEXT_HOUR_MS, 1800, { cpuSeconds: 900 });
  await market.provider.call("demandBill", { params: { host: host.hostId } });
  expect((await host.agent.call("readDesired")).billNow).toEqual([market.providerId]);
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

test("acts and records come in any order and any number of times, to the same bill", async () => {
  const totals: string[] = [];
  for (const seed of [1, 2, 3, 4]) {
    const { host, name, ledger } = await newHost();
    const { code, jws } = await issue(name);
    ledger.accept(code, jws);
    const meters = ledger.begin(code, jws, [
      ["p1", allowance(100)],
      ["p2", allowance(700)],
    ]);
    for (const meter of meters) {
      for (let step = 0; step < 5; step++) {
        ledger.use(meter, NEXT_HOUR_MS, 300, { cpuSeconds: 100 * (step + 1) });
      }
    }
    ledger.timeToBill(market.providerId, NEXT_HOUR_MS);
    const acts = ledger.acts.map((act) => ({ actsJws: ledger.signActs([act]) }));
    const usage = meters.flatMap((meter) =>
      meter.records.map((one) => ({ usageJws: ledger.signUsage(meter, [one]) })),
    );
    const waiting = [...acts, ...usage, ...acts, ...usage].map((body, index) => ({
      body,
      place: (index * 7919 * seed + seed * 104_729) % 997,
    }));
    let queue = waiting.toSorted((a, b) => a.place - b.place).map(({ body }) => body);
    for (let round = 0; queue.length > 0 && round < 20; round++) {
      const again: typeof queue = [];
      for (const body of queue) {
        const code2 = await codeOf(
          "actsJws" in body
            ? host.agent.call("sendActs", { body })
            : host.agent.call("sendUsage", { body }),
        );
        if (code2 !== "done") expect(code2).toBe("acts-first");
        if (code2 !== "done") again.push(body);
      }
      queue = again;
    }
    expect(queue).toEqual([]);
    const [bill] = await billsOf(host.hostId);
    totals.push(bill?.totalMicros ?? "none");
    const stand = await market.provider.call("showCapacityHost", { params: { host: host.hostId } });
    expect(stand.setBack).toEqual([]);
  }
  // 1400 and 800 core-seconds above, at 0.12 an hour, to the cent.
  expect(totals).toEqual(["70000", "70000", "70000", "70000"]);
});

test("records that do not follow from their readings are refused by name and shown", async () => {
  const { host, name, ledger } = await newHost();
  const { code, jws } = await issue(name);
  ledger.accept(code, jws);
  const [meter] = ledger.begin(code, jws, [["p1", null]]);
  if (!meter) throw new Error("no meter");
  await host.agent.call("sendActs", { body: { actsJws: ledger.signActs() } });
  ledger.use(meter, NEXT_HOUR_MS, 60, {
    bend: (record) => ({
      ...record,
      ...(record.capacity && {
        capacity: { ...record.capacity, meteredQuantity: "1", debits: [], overdraft: "1" },
      }),
    }),
  });
  const usageJws = ledger.signUsage(meter);
  expect(await codeOf(host.agent.call("sendUsage", { body: { usageJws } }))).toBe("record-refused");
  expect(await codeOf(host.agent.call("sendUsage", { body: { usageJws } }))).toBe("record-refused");
  const { events } = await market.owner.call("showHost", { params: { host: name } });
  expect(events.filter(({ kind }) => kind === "usage-refused")).toHaveLength(1);
});

test("a host that was set back is shown to its owner and its provider, and its use goes on being taken", async () => {
  const { host, name, ledger } = await newHost();
  const { code, jws } = await issue(name);
  ledger.accept(code, jws);
  const [meter] = ledger.begin(code, jws, [["p1", null]]);
  if (!meter) throw new Error("no meter");
  ledger.use(meter, NEXT_HOUR_MS, 600);
  await send(host, ledger);
  const set = ledger.acts.slice(0, 2);
  const head = { seq: 2, hash: set[1]?.hash ?? "", at: ledger.head().at, runNs: "5" };
  const later = { ...head, at: new Date(ledger.nowMs + HOUR_MS).toISOString() };
  const back = ledger.signActs(set, later);
  await host.agent.call("sendActs", { body: { actsJws: back } });
  const stand = await market.provider.call("showCapacityHost", { params: { host: host.hostId } });
  expect(stand.setBack).toHaveLength(1);
  const { hosts: own } = await market.owner.call("listOwnCapacityHosts");
  expect(own.find((one) => one.hostId === host.hostId)?.setBack).toHaveLength(1);
  ledger.use(meter, NEXT_HOUR_MS, 600);
  const usageJws = ledger.signUsage(meter, meter.records.slice(1));
  expect(await codeOf(host.agent.call("sendUsage", { body: { usageJws } }))).toBe("done");
  // Another act under an old number: refused by name.
  const other = new Ledger(host.hostId, host.key, NEXT_HOUR_MS);
  other.accept({ ...code, jti: newId("code") }, jws);
  const actsJws = other.signActs();
  expect(await codeOf(host.agent.call("sendActs", { body: { actsJws } }))).toBe("act-conflict");
});

test("a host without a network is billed by files alone, from any number of copies", async () => {
  const far = farHost("cellar");
  await market.provider.call("registerHost", { body: { cardJws: far.card(), customer: "owner" } });
  const body = { codeId: newId("code"), request: { requestJws: far.request() } };
  const { code, payload } = await market.provider.call("issueCode", { body });
  const ledger = new Ledger(far.hostId, far.key, NEXT_HOUR_MS);
  ledger.accept(payload, code.codeJws);
  const [meter] = ledger.begin(payload, code.codeJws, [["p1", null]]);
  if (!meter) throw new Error("no meter");
  ledger.use(meter, NEXT_HOUR_MS, 1800);
  ledger.timeToBill(market.providerId, NEXT_HOUR_MS);
  const file = {
    ...{ kind: "sublet-capacity-report" as const, version: 1 as const, hostId: far.hostId },
    ...{ providerId: market.providerId, writtenAt: new Date().toISOString() },
    ...{ acts: [ledger.signActs()], usage: [ledger.signUsage(meter)] },
  };
  const once = await market.provider.call("importReport", { body: file });
  const again = await market.provider.call("importReport", { body: file });
  for (const { receiptFile, refused } of [once, again]) {
    expect(refused).toEqual([]);
    const receipts = receiptFile.receipts.map(claimedPayload);
    expect(receipts).toMatchObject([
      { iss: market.providerId, aud: far.hostId, contiguousSeq: 4 },
      { iss: market.providerId, chainId: meter.chainId, contiguousSeq: 1 },
    ]);
  }
  const [bill, ...more] = await billsOf(far.hostId);
  expect(more).toEqual([]);
  expect(bill?.totalMicros).toBe("60000");
  await verified(bill?.billId ?? "");
  await market.provider.call("demandBill", { params: { host: far.hostId } });
  const asked = await market.provider.call("importReport", { body: { ...file, usage: [] } });
  expect(asked.receiptFile.billNow).toBe(true);
  const stranger = await server.party("stranger-vendor", ["provider"]);
  expect(await codeOf(stranger.client.call("importReport", { body: file }))).toBe("not-found");
  const forged = usageBatchSchema.parse(claimedPayload(ledger.signUsage(meter)));
  const usage = [sign("sublet-usage", forged, market.host.key)];
  const refused = await market.provider.call("importReport", { body: { ...file, usage } });
  expect(refused.refused).toMatchObject([{ text: "usage", code: "signature-refused" }]);
});

test("an owner's order reaches the host with its desired state until the agent has answered it, once", async () => {
  const { host, name } = await newHost();
  const orderId = newId("order");
  const ordered = { kind: "return" as const, of: { partition: "p1" } };
  const body = { orderId, host: name, ordered };
  await market.owner.call("orderCapacity", { body });
  await market.owner.call("orderCapacity", { body });
  const other = { ...body, ordered: { kind: "return" as const, of: { partition: "p2" } } };
  expect(await codeOf(market.owner.call("orderCapacity", { body: other }))).toBe("cause-reused");
  const read = async () => (await host.agent.call("readDesired")).capacityOrders;
  expect(await read()).toEqual([{ orderId, ordered }]);
  const answer = (outcome: string) =>
    host.agent.call("answerCapacityOrder", {
      params: { orderId },
      body: { outcome, message: "there is no such partition" },
    });
  // Another host's answer counts for nothing.
  await market.host.agent.call("answerCapacityOrder", {
    params: { orderId },
    body: { outcome: "done", message: "" },
  });
  await answer("not-found");
  await answer("done");
  expect(await read()).toEqual([]);
  const { orders } = await market.owner.call("listCapacityOrders", { params: { host: name } });
  expect(orders).toMatchObject([{ orderId, outcome: "not-found" }]);
});
