import fc from "fast-check";
import { expect, test } from "vitest";
import { removeCut } from "../../src/agent/allocation/cut.ts";
import { enable } from "../../src/agent/capacity/enable.ts";
import { billOnDemand, capacityOnce } from "../../src/agent/capacity/once.ts";
import { showCapacity } from "../../src/agent/capacity/show.ts";
import { setThreshold } from "../../src/agent/capacity/threshold.ts";
import { wipeOwnGuest } from "../../src/agent/own/guest.ts";
import type { CapacityCode } from "../../src/enablement/capacity/code.ts";
import { chainOrigin, checkChain } from "../../src/meter/chain.ts";
import {
  actsOf,
  CORE,
  createProvider,
  enabled,
  kindsOf,
  recordsOf,
  returned,
  SECOND_NS,
  STANDBY,
  serveRounds,
} from "./capacity.ts";
import { createRig } from "./harness.ts";
import { begun, cut, SIZE } from "./own.ts";
import { booksOf, CUSTOMER } from "./provider-books.ts";

const HALF = { ...SIZE, cpuMilli: 500 };

/** A host without a server with two shared guests of half a core each, that may use two. */
async function world(change: Partial<CapacityCode> = {}) {
  const rig = createRig(STANDBY);
  const provider = createProvider();
  const agent = await rig.startAlone();
  provider.pin(agent);
  const max = { ...SIZE, cpuMilli: 2000 };
  const ids = new Map<string, string>();
  for (const name of ["p1", "p2"]) {
    cut(agent, name, { size: HALF, cpuMode: "shared", max });
    ids.set(name, (await begun(agent, name)).leaseId);
  }
  await rig.rounds(agent, 2, 1_000);
  const specOf = (name: string) => rig.driver.guests.get(ids.get(name) ?? "")?.spec;
  const code = provider.code(agent, change);
  return { rig, provider, agent, specOf, code };
}

/** What each partition's records add up to. */
function sums(agent: Parameters<typeof recordsOf>[0]) {
  const chains = new Map(
    actsOf(agent).flatMap((act) =>
      act.kind === "chain-begun" ? [[act.chainId as string, act.partition.name]] : [],
    ),
  );
  const by = new Map<string, { cpuNs: bigint; metered: bigint }>();
  for (const { record } of recordsOf(agent)) {
    const name = chains.get(record.chainId) ?? "";
    const { cpuNs, metered } = by.get(name) ?? { cpuNs: 0n, metered: 0n };
    by.set(name, {
      cpuNs: cpuNs + BigInt(record.cpuNs),
      metered: metered + BigInt(record.capacity?.meteredQuantity ?? 0),
    });
  }
  return by;
}

test("shared: guests may use more while a code is in force, and are held to their own again", async () => {
  const { rig, agent, specOf, code } = await world();
  expect(specOf("p1")).toMatchObject({ size: { cpuMilli: 500 }, cores: [0, 1] });
  const { service } = await enabled(agent, { code, shared: true });
  expect(service).toMatchObject({ state: "in-service", mode: "shared", cores: [2] });
  await serveRounds(rig, agent, 2, 1_000);
  for (const name of ["p1", "p2"]) {
    expect(specOf(name)).toMatchObject({ size: { cpuMilli: 2000 }, cores: [0, 1, 2] });
  }
  await returned(agent, { shared: true });
  await serveRounds(rig, agent, 2, 1_000);
  for (const name of ["p1", "p2"]) {
    expect(specOf(name)).toMatchObject({ size: { cpuMilli: 500 }, cores: [0, 1] });
  }
  expect(kindsOf(agent)).toEqual([
    ...["code-accepted", "service-begun", "chain-begun", "chain-begun", "service-returned"],
    "time-to-bill returned",
  ]);
});

test("each partition is free up to its own threshold, and only its excess is metered", async () => {
  const { rig, agent, code } = await world({
    billingPeriod: { kind: "fixed", seconds: 7200, anchor: "2027-01-31T08:00:00Z" },
  });
  expect(
    setThreshold(agent, { partition: "p1", threshold: { kind: "allowance", milliCoreNs: "1" } }),
  ).toMatchObject({ code: "capacity-none" });
  await enabled(agent, { code, shared: true });
  for (let i = 0; i < 60; i++) {
    rig.burn(60n * SECOND_NS);
    await serveRounds(rig, agent, 1, 60_000);
  }
  await billOnDemand(agent, null);
  // Half a core over two hours is 3600 core-seconds; one core for an hour is 3600, and is free.
  expect([...sums(agent).values()]).toEqual([
    { cpuNs: 3600n * SECOND_NS, metered: 0n },
    { cpuNs: 3600n * SECOND_NS, metered: 0n },
  ]);
  rig.burn(30n * SECOND_NS);
  await serveRounds(rig, agent, 1, 60_000);
  await billOnDemand(agent, null);
  for (const { metered } of sums(agent).values()) expect(metered).toBe(30n * 1000n * SECOND_NS);
  expect(showCapacity(agent).shared).toMatchObject([
    { partition: "p1", excess: `${30n * 1000n * SECOND_NS}` },
    { partition: "p2", excess: `${30n * 1000n * SECOND_NS}` },
  ]);
  const chains = new Set(recordsOf(agent).map(({ record }) => record.chainId));
  expect(chains.size).toBe(2);
  for (const chainId of chains) {
    const records = recordsOf(agent).filter(({ record }) => record.chainId === chainId);
    expect(checkChain(chainOrigin(code), records)).toEqual({ ok: true });
  }
});

test("a threshold is never zero, never more in sum than the base pool, and counts from the next period", async () => {
  const { rig, agent, code } = await world();
  await enabled(agent, { code, shared: true });
  const set = (partition: string, coreSeconds: number) =>
    setThreshold(agent, {
      partition,
      threshold: { kind: "allowance", milliCoreNs: `${BigInt(coreSeconds) * 1000n * SECOND_NS}` },
    });
  // A base of 1.75 cores gives 6300 core-seconds an hour; p2 has 1800 by right.
  expect(set("p1", 4501)).toMatchObject({ code: "threshold-refused" });
  expect(set("p1", 600)).toEqual({ from: "2027-01-31T09:00:00.000Z" });
  for (let i = 0; i < 59; i++) {
    rig.burn(10n * SECOND_NS);
    await serveRounds(rig, agent, 1, 60_000);
  }
  expect(showCapacity(agent).shared[0]).toMatchObject({ partition: "p1", excess: "0" });
  await serveRounds(rig, agent, 2, 60_000);
  const [p1, p2] = showCapacity(agent).shared;
  expect(p1?.threshold).toEqual({ kind: "allowance", milliCoreNs: `${600n * 1000n * SECOND_NS}` });
  expect(p2?.threshold).toEqual({ kind: "allowance", milliCoreNs: `${1800n * 1000n * SECOND_NS}` });
  expect(kindsOf(agent)).toContain("time-to-bill period-end");
});

test("enabling again in a period goes on in its total", async () => {
  const { rig, provider, agent, code } = await world();
  await enabled(agent, { code, shared: true });
  rig.burn(1700n * SECOND_NS);
  await serveRounds(rig, agent, 1, 600_000);
  await returned(agent, { shared: true });
  rig.burn(5_000n * SECOND_NS);
  await serveRounds(rig, agent, 1, 60_000);
  await enabled(agent, { code: provider.code(agent), shared: true });
  rig.burn(200n * SECOND_NS);
  await serveRounds(rig, agent, 1, 600_000);
  await billOnDemand(agent, null);
  for (const { metered } of sums(agent).values()) expect(metered).toBe(100n * 1000n * SECOND_NS);
});

test("under a rate every interval is compared by itself, and use below it makes records of zero", async () => {
  const { rig, agent, code } = await world({ threshold: { kind: "rate", intervalSeconds: 60 } });
  await enabled(agent, { code, shared: true });
  rig.burn(15n * SECOND_NS);
  await serveRounds(rig, agent, 1, 60_000);
  rig.burn(120n * SECOND_NS);
  await serveRounds(rig, agent, 1, 60_000);
  const p1 = recordsOf(agent).slice(0, 2);
  expect(p1.map(({ record }) => record.capacity?.meteredQuantity)).toEqual([
    "0",
    `${90n * 1000n * SECOND_NS}`,
  ]);
});

test("with restarts and clock steps the excess is what all use together exceeds the allowance by", async () => {
  const steps = fc.array(
    fc.record({
      seconds: fc.integer({ min: 1, max: 400 }),
      busy: fc.integer({ min: 0, max: 2_000 }),
      event: fc.constantFrom("none", "none", "none", "restart", "wall", "bill", "serve"),
    }),
    { minLength: 1, maxLength: 12 },
  );
  await fc.assert(
    fc.asyncProperty(steps, async (history) => {
      const {
        rig,
        agent: first,
        code,
      } = await world({
        billingPeriod: { kind: "fixed", seconds: 7200, anchor: "2027-01-31T08:00:00Z" },
      });
      let agent = first;
      await enabled(agent, { code, shared: true });
      let used = 0n;
      for (const { seconds, busy, event } of history) {
        const ns = BigInt(seconds * busy) * 1_000_000n;
        rig.burn(ns);
        used += ns;
        rig.clock.pass(seconds * 1000);
        if (event === "wall") rig.clock.stepWall(seconds * 100_000);
        if (event === "restart") {
          agent.db.close();
          agent = await rig.startAlone();
        }
        if (event === "bill") await billOnDemand(agent, null);
        if (event === "serve") await serveRounds(rig, agent, 1, 1);
        await capacityOnce(agent);
      }
      await returned(agent, { shared: true });
      const allowance = 500n * 7200n * SECOND_NS;
      const excess = used * 1000n > allowance ? used * 1000n - allowance : 0n;
      for (const { cpuNs, metered } of sums(agent).values()) {
        expect(cpuNs).toBe(used);
        expect(metered).toBe(excess);
      }
      agent.db.close();
    }),
    { numRuns: 15 },
  );
}, 120_000);

test("cpu for a shared partition goes through the pool, and memory does not", async () => {
  const { provider, agent, code } = await world();
  expect(await enable(agent, { code, partition: "p1" })).toMatchObject({
    code: "capacity-wrong-mode",
  });
  const memory = provider.code(agent, { resource: "memory", quantity: 2 ** 27 });
  expect(await enable(agent, { code: memory, shared: true })).toMatchObject({
    code: "capacity-wrong-mode",
  });
  expect(CORE).toBe(1000);
});

test("under a rate a demand for a bill cuts no interval: what is metered is the same without it", async () => {
  const metered: bigint[] = [];
  for (const isAsked of [false, true]) {
    const { rig, agent, code } = await world({ threshold: { kind: "rate", intervalSeconds: 60 } });
    await enabled(agent, { code, shared: true });
    for (let minute = 0; minute < 10; minute++) {
      // Half a core over the minute, all of it in the first half.
      rig.burn(30n * SECOND_NS);
      rig.clock.pass(30_000);
      if (isAsked) await billOnDemand(agent, null);
      else await capacityOnce(agent);
      rig.clock.pass(30_000);
      await capacityOnce(agent);
    }
    rig.burn(60n * SECOND_NS);
    await serveRounds(rig, agent, 1, 60_000);
    expect(await billOnDemand(agent, null)).toBe(1);
    const lengths = recordsOf(agent).map(({ record }) => BigInt(record.elapsedNs) / SECOND_NS);
    expect(new Set(lengths)).toEqual(new Set([60n]));
    metered.push([...sums(agent).values()].reduce((sum, one) => sum + one.metered, 0n));
  }
  // Only the last minute of each of the two was above half a core.
  expect(metered).toEqual([2n * 30n * 1000n * SECOND_NS, 2n * 30n * 1000n * SECOND_NS]);
});

test("a code that compares otherwise than the one before it in the period has a threshold of its own kind", async () => {
  const billingPeriod = {
    ...{ kind: "fixed" as const, seconds: 7200, anchor: "2027-01-31T08:00:00Z" },
  };
  const { rig, provider, agent, code } = await world({ billingPeriod, customer: CUSTOMER });
  await enabled(agent, { code, shared: true });
  setThreshold(agent, {
    partition: "p1",
    threshold: { kind: "allowance", milliCoreNs: (600n * 1000n * SECOND_NS).toString() },
  });
  await serveRounds(rig, agent, 2, 60_000);
  await returned(agent, { shared: true });
  const second = provider.code(agent, {
    ...{ billingPeriod, threshold: { kind: "rate", intervalSeconds: 60 } },
    validity: { start: "2027-01-31T00:00:00Z", end: "2027-02-20T00:00:00Z" },
    customer: CUSTOMER,
  });
  await enabled(agent, { code: second, shared: true });
  const before = recordsOf(agent).length;
  expect(before).toBeGreaterThan(0);
  await serveRounds(rig, agent, 130, 60_000);
  await billOnDemand(agent, null);
  const books = booksOf(agent, provider, [code, second]);
  expect(books.faults).toEqual([]);
  expect(books.differs).toEqual([]);
  const kinds = books.records.map(({ record }) => record.capacity?.threshold?.kind);
  expect(new Set(kinds)).toEqual(new Set(["allowance", "rate"]));
});

test("a default that is another in the next period is told by an act: a shorter month gives less", async () => {
  const billingPeriod = { kind: "month" as const, timeZone: "UTC" };
  const { rig, provider, agent, code } = await world({ billingPeriod, customer: CUSTOMER });
  await enabled(agent, { code, shared: true });
  for (let i = 0; i < 40; i++) {
    rig.burn(60n * SECOND_NS);
    await serveRounds(rig, agent, 1, 1_800_000);
  }
  await billOnDemand(agent, null);
  const set = actsOf(agent).filter((act) => act.kind === "threshold-set");
  const february = (500n * 28n * 86_400n * SECOND_NS).toString();
  expect(set).toMatchObject(
    ["p1", "p2"].map((name) => ({
      ...{ partition: { name }, from: "2027-02-01T00:00:00.000Z" },
      threshold: { kind: "allowance", milliCoreNs: february },
    })),
  );
  const books = booksOf(agent, provider, [code]);
  expect([...books.faults, ...books.differs]).toEqual([]);
  expect(books.bills).toHaveLength(2);
});

test("a partition that is removed and cut anew is given what the base pool has left of the period, and no second allowance", async () => {
  const rig = createRig(STANDBY);
  const provider = createProvider();
  const agent = await rig.startAlone();
  provider.pin(agent);
  // All of the base pool is one partition's: what is used above it is standby.
  const all = { ...SIZE, cpuMilli: 1750 };
  const max = { ...SIZE, cpuMilli: 3000 };
  const billingPeriod = {
    ...{ kind: "fixed" as const, seconds: 7200, anchor: "2027-01-31T08:00:00Z" },
  };
  const code = provider.code(agent, { billingPeriod, customer: CUSTOMER });
  for (const name of ["p1", "p2"]) {
    cut(agent, name, { size: all, cpuMode: "shared", max });
    await begun(agent, name);
    await serveRounds(rig, agent, 2, 1_000);
    if (name === "p1") await enabled(agent, { code, shared: true });
    await serveRounds(rig, agent, 1, 1_000);
    for (let minute = 0; minute < 55; minute++) {
      rig.burn(165n * SECOND_NS);
      await serveRounds(rig, agent, 1, 60_000);
    }
    if (name === "p2") break;
    wipeOwnGuest(agent, name);
    await serveRounds(rig, agent, 4, 1_000);
    expect(removeCut(agent, name)).toBeNull();
  }
  await billOnDemand(agent, null);
  const [p1, p2] = [...sums(agent).values()];
  const pool = 1750n * 7200n * SECOND_NS;
  const used = ((p1?.cpuNs ?? 0n) + (p2?.cpuNs ?? 0n)) * 1000n;
  expect(p1?.metered).toBe(0n);
  // What is kept back, so that no threshold is ever zero, is a nanosecond of a core.
  expect((p2?.metered ?? 0n) - (used - pool)).toBe(1024n);
  const books = booksOf(agent, provider, [code]);
  expect([...books.faults, ...books.differs]).toEqual([]);
});

test("a partition that is cut when the owner had divided all of the base pool gets something, and the sum stays", async () => {
  const { rig, provider, agent, code } = await world({ customer: CUSTOMER });
  await enabled(agent, { code, shared: true });
  const milliCoreNs = (4500n * 1000n * SECOND_NS).toString();
  const threshold = { kind: "allowance" as const, milliCoreNs };
  expect(setThreshold(agent, { partition: "p1", threshold })).toHaveProperty("from");
  cut(agent, "p3", { size: HALF, cpuMode: "shared" });
  await serveRounds(rig, agent, 70, 60_000);
  const shared = showCapacity(agent).shared;
  const given = shared.map((one) =>
    one.threshold.kind === "allowance" ? BigInt(one.threshold.milliCoreNs) : 0n,
  );
  expect(given).toHaveLength(3);
  for (const one of given) expect(one).toBeGreaterThan(0n);
  expect(given.reduce((sum, one) => sum + one, 0n)).toBeLessThanOrEqual(6300n * 1000n * SECOND_NS);
  await billOnDemand(agent, null);
  const books = booksOf(agent, provider, [code]);
  expect([...books.faults, ...books.differs]).toEqual([]);
});
