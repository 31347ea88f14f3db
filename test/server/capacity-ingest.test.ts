import { sql } from "kysely";
import { afterAll, expect, test } from "vitest";
import { Ledger } from "../../src/billing/verify/capacity/ledger.sample.ts";
import { insertHostEventOnce } from "../../src/host/store.ts";
import { usageBatchSchema } from "../../src/meter/record.ts";
import { claimedPayload, sign } from "../../src/signature/envelope.ts";
import { newId } from "../../src/unit/id.ts";
import { allowance, HOUR_MS, NEXT_HOUR_MS, openCapacityBilling } from "./capacity-billing.ts";
import { confirmFarHost, farHost } from "./capacity-market.ts";
import { codeOf } from "./harness.ts";

const { billsOf, issue, market, newHost, send, server, verified } = await openCapacityBilling();
afterAll(() => server.stop());

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
    await expectTotals();
    const [bill] = await billsOf(host.hostId);
    totals.push(bill?.totalMicros ?? "none");
    const stand = await market.provider.call("showCapacityHost", { params: { host: host.hostId } });
    expect(stand.setBack).toEqual([]);
  }
  // 1400 and 800 core-seconds above, at 0.12 an hour, to the cent.
  expect(totals).toEqual(["70000", "70000", "70000", "70000"]);
});

/** The running totals are what the records add up to. */
async function expectTotals() {
  const { rows } = await sql<{ differ: number }>`
    select count(*)::int as differ from (
      select chain_id, max(seq) as last_seq, max(seq) filter (where final) as final_seq,
        sum(cpu_ns) as cpu_ns from usage_record group by 1) r
    join capacity_progress p using (chain_id)
    where p.contiguous_seq <> r.last_seq or p.last_seq <> r.last_seq
      or p.final_seq is distinct from r.final_seq
      or r.cpu_ns <> (select sum(cpu_ns) from capacity_period_total t
        where t.chain_id = r.chain_id)`.execute(server.database.kysely);
  expect(rows).toEqual([{ differ: 0 }]);
  const drawn = sql<{ same: boolean }>`
    select coalesce((select sum(quantity) from capacity_drawn), 0)
      = coalesce((select sum((d ->> 'quantity')::numeric) from usage_record r
        cross join lateral jsonb_array_elements(r.record #> '{capacity,debits}') d), 0) as same`;
  expect((await drawn.execute(server.database.kysely)).rows).toEqual([{ same: true }]);
}

test("a batch costs what is in it, not what came before: totals run beside the records", async () => {
  const { host, name, ledger } = await newHost();
  const { code, jws } = await issue(name);
  ledger.accept(code, jws);
  const [meter] = ledger.begin(code, jws, [["p1", allowance(600)]]);
  if (!meter) throw new Error("no meter");
  await host.agent.call("sendActs", { body: { actsJws: ledger.signActs() } });
  for (let i = 0; i < 3000; i++) ledger.use(meter, NEXT_HOUR_MS, 1, { cpuSeconds: 1 });
  const send100 = async (from: number) => {
    const usageJws = ledger.signUsage(meter, meter.records.slice(from, from + 100));
    await host.agent.call("sendUsage", { body: { usageJws } });
  };
  for (let from = 0; from < 2900; from += 100) await send100(from);
  await send100(2900);
  await expectTotals();
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
  // However much else happens to the host, the provider goes on seeing it.
  for (let batch = 0; batch < 210; batch++) {
    const event = { hostId: host.hostId, kind: "usage-refused", detail: { batch } };
    await insertHostEventOnce(server.database.kysely, { ...event, now: new Date() });
  }
  const seen = await market.provider.call("showCapacityHost", { params: { host: host.hostId } });
  expect(seen.setBack).toEqual(stand.setBack);
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

test("a host that does nothing is seen to be alive by its head alone, and to be set back", async () => {
  const { host, name, ledger } = await newHost();
  const { code, jws } = await issue(name);
  ledger.accept(code, jws);
  await send(host, ledger);
  const show = () => market.provider.call("showCapacityHost", { params: { host: host.hostId } });
  const signed = ledger.head();
  const at = (hours: number) => new Date(Date.parse(signed.at) + hours * HOUR_MS).toISOString();
  const head = (hours: number, runHours: number) =>
    ledger.signActs([], {
      ...signed,
      at: at(hours),
      runNs: (BigInt(signed.runNs) + BigInt(runHours) * 3600n * 1_000_000_000n).toString(),
    });
  for (const hours of [1, 2]) {
    await host.agent.call("sendActs", { body: { actsJws: head(hours, hours) } });
    expect((await show()).reportedUntil).toBe(at(hours));
  }
  expect((await show()).setBack).toEqual([]);
  await host.agent.call("sendActs", { body: { actsJws: head(3, 1) } });
  expect((await show()).setBack).toHaveLength(1);
});

test("what was not given back is shown as that until it is returned, or a new code covers it", async () => {
  const { host, name, ledger } = await newHost();
  const { code, jws } = await issue(name);
  ledger.accept(code, jws);
  const services = ["p1", "p2"].map((place) => {
    const [meter] = ledger.begin(code, jws, [[place, null]], 1000);
    if (!meter) throw new Error("no meter");
    return meter.serviceId;
  });
  const [one = "service_1", two = "service_2"] = services;
  const stand = async () => {
    await host.agent.call("sendActs", { body: { actsJws: ledger.signActs() } });
    const { hostId } = host;
    const shown = await market.provider.call("showCapacityHost", { params: { host: hostId } });
    return shown.unreturned;
  };
  const unreturned = { kind: "unreturned", reason: "validity-end", means: null } as const;
  ledger.act({ ...unreturned, serviceId: one });
  ledger.act({ ...unreturned, serviceId: two });
  expect(await stand()).toEqual([one, two].toSorted());
  ledger.act({ kind: "service-covered", serviceId: one });
  expect(await stand()).toEqual([two]);
  const returned = { kind: "service-returned", reason: "owner", means: null } as const;
  ledger.act({ ...returned, serviceId: two });
  expect(await stand()).toEqual([]);
  ledger.act({ ...unreturned, serviceId: one });
  expect(await stand()).toEqual([one]);
});

test("a host without a network is billed by files alone, from any number of copies", async () => {
  const far = farHost("cellar");
  await market.provider.call("registerHost", { body: { cardJws: far.card(), customer: "owner" } });
  await confirmFarHost(market.owner, far);
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
  const asking = { params: { host: far.hostId } };
  const { demandedAt } = await market.provider.call("demandBill", asking);
  const asked = await market.provider.call("importReport", { body: { ...file, usage: [] } });
  expect(asked.receiptFile.billNow).toEqual({ demandedAt });
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
