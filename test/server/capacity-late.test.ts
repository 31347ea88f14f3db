import { afterAll, expect, test } from "vitest";
import { closeCapacityBillsOnce } from "../../src/billing/capacity/close-bills.ts";
import { listDue } from "../../src/billing/capacity/due-store.ts";
import { newId } from "../../src/unit/id.ts";
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

const charged = (bills: Awaited<ReturnType<typeof billsOf>>) =>
  bills.reduce((sum, { totalMicros }) => sum + BigInt(totalMicros), 0n);

async function dedicatedHour() {
  const world = await newHost();
  const { code, jws } = await issue(world.name);
  world.ledger.accept(code, jws);
  const [meter] = world.ledger.begin(code, jws, [["p1", null]]);
  if (!meter) throw new Error("no meter");
  for (let step = 0; step < 6; step++) world.ledger.use(meter, NEXT_HOUR_MS, 600);
  return { ...world, meter };
}

test("records that come behind the last time to bill are billed by a correction, once and exactly", async () => {
  const { host, ledger, meter } = await dedicatedHour();
  const act = ledger.timeToBill(market.providerId, NEXT_HOUR_MS);
  await host.agent.call("sendActs", { body: { actsJws: ledger.signActs() } });
  expect(await billsOf(host.hostId)).toEqual([]);
  await passed(host.hostId);
  expect(await billsOf(host.hostId)).toMatchObject([{ incomplete: true, totalMicros: "0" }]);
  const usage = [meter.records.slice(3), meter.records.slice(0, 3)];
  for (const records of usage) {
    expect(await billsOf(host.hostId)).toHaveLength(1);
    await host.agent.call("sendUsage", { body: { usageJws: ledger.signUsage(meter, records) } });
  }
  const bills = await billsOf(host.hostId);
  const [first, second] = bills;
  expect(second).toMatchObject({
    ...{ number: 2, act: { seq: act.record.seq }, totalMicros: "240000" },
    corrects: { billId: first?.billId, number: 1 },
    lines: [{ rule: "dedicated-time", quantity: (7200n * CORE_SECOND).toString() }],
  });
  expect(second?.incomplete).toBeUndefined();
  await verified(second?.billId ?? "");
  await passed(host.hostId);
  await send(host, ledger);
  expect(await billsOf(host.hostId)).toEqual(bills);
  expect(await balance()).toBe(0n);
});

test("a time to bill that comes behind a later one is billed, and nothing is charged twice or given back", async () => {
  const { host, ledger, meter } = await dedicatedHour();
  const lost = ledger.timeToBill(market.providerId, NEXT_HOUR_MS, "demand");
  for (let step = 0; step < 6; step++) ledger.use(meter, NEXT_HOUR_MS, 600);
  ledger.timeToBill(market.providerId, NEXT_HOUR_MS + HOUR_MS);
  const known = ledger.signActs(ledger.acts.filter((one) => one !== lost));
  await host.agent.call("sendActs", { body: { actsJws: known } });
  await host.agent.call("sendUsage", { body: { usageJws: ledger.signUsage(meter) } });
  await passed(host.hostId);
  const [first] = await billsOf(host.hostId);
  const lack = { fromSeq: lost.record.seq, toSeq: lost.record.seq };
  expect(first).toMatchObject({
    ...{ incomplete: true, totalMicros: "240000" },
    evidence: { missing: [], missingActs: [lack] },
  });
  await verified(first?.billId ?? "");
  await send(host, ledger);
  const bills = await billsOf(host.hostId);
  expect(bills).toHaveLength(2);
  expect(bills[1]).toMatchObject({ act: { seq: lost.record.seq }, totalMicros: "240000" });
  expect(bills[1]?.incomplete).toBeUndefined();
  await verified(bills[1]?.billId ?? "");
  expect(await billsOf(host.hostId)).toHaveLength(2);
});

test("while an earlier act lacks, what it may name is waited for; after the deadline the bill closes without it, and with it is set right", async () => {
  const { host, name, ledger } = await newHost();
  const { code, jws } = await issue(name);
  ledger.accept(code, jws);
  const [a] = ledger.begin(code, jws, [["p1", allowance(600)]]);
  if (!a) throw new Error("no meter");
  ledger.use(a, NEXT_HOUR_MS, 600, { cpuSeconds: 500 });
  ledger.use(a, NEXT_HOUR_MS, 600, { cpuSeconds: 500, bend: (r) => ({ ...r, final: true }) });
  const lost = ledger.timeToBill(market.providerId, NEXT_HOUR_MS, "demand");
  const chainId = newId("chain");
  ledger.act({
    ...{ kind: "chain-begun", chainId, serviceId: a.serviceId, partition: a.partition },
    ...{ codeId: code.jti, threshold: a.threshold, leaseId: null },
  });
  const b = { ...a, chainId, records: [] };
  ledger.meters.push(b);
  ledger.use(b, NEXT_HOUR_MS + 1_200_000, 600, { cpuSeconds: 500 });
  ledger.timeToBill(market.providerId, NEXT_HOUR_MS);
  // The later time to bill does not name again what the lost one named.
  const last = ledger.acts.at(-1);
  if (last?.record.act.kind !== "time-to-bill") throw new Error("no time to bill");
  ledger.acts.pop();
  ledger.act({ ...last.record.act, chains: [{ chainId, seq: 1 }] });
  const known = ledger.signActs(ledger.acts.filter((one) => one !== lost));
  await host.agent.call("sendActs", { body: { actsJws: known } });
  for (const meter of [a, b]) {
    await host.agent.call("sendUsage", { body: { usageJws: ledger.signUsage(meter) } });
  }
  expect(await billsOf(host.hostId)).toEqual([]);
  await passed(host.hostId);
  const [first] = await billsOf(host.hostId);
  expect(first).toMatchObject({ incomplete: true, lines: [], totalMicros: "0" });
  await verified(first?.billId ?? "");
  await send(host, ledger);
  const bills = await billsOf(host.hostId);
  // 1500 core-seconds used, 900 of them above, at 0.12 an hour.
  expect(charged(bills)).toBe(30_000n);
  expect(bills.at(-1)?.incomplete).toBeUndefined();
  for (const { billId } of bills) await verified(billId);
});

test("hosts take turns: one that waits and one with very many times to bill keep no other's bill back", async () => {
  const waiting = await dedicatedHour();
  waiting.ledger.timeToBill(market.providerId, NEXT_HOUR_MS);
  const actsJws = waiting.ledger.signActs();
  await waiting.host.agent.call("sendActs", { body: { actsJws } });
  await server.pass();
  const { clock, db, keys, serverId } = server.context;
  const due = await listDue(db.kysely, clock.now(), 1_000);
  expect(due.map(({ hostId }) => hostId)).not.toContain(waiting.host.hostId);

  const many = await dedicatedHour();
  for (let i = 0; i < 45; i++) many.ledger.timeToBill(market.providerId, NEXT_HOUR_MS, "demand");
  const other = await dedicatedHour();
  other.ledger.timeToBill(market.providerId, NEXT_HOUR_MS);
  await send(many.host, many.ledger);
  await send(other.host, other.ledger);
  const issuer = { serverId, key: keys.current };
  expect(await closeCapacityBillsOnce({ db, issuer }, clock.now())).toBeLessThanOrEqual(21);
  expect(await billsOf(other.host.hostId)).toHaveLength(1);
  for (let i = 0; i < 3; i++) await server.pass();
  const bills = await billsOf(many.host.hostId);
  expect(bills.map(({ number }) => number)).toEqual(Array.from({ length: 45 }, (_, i) => i + 1));
  expect(charged(bills)).toBe(240_000n);
});
