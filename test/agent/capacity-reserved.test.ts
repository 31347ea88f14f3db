import { afterAll, expect, test } from "vitest";
import { enable } from "../../src/agent/capacity/enable.ts";
import { giveBack } from "../../src/agent/capacity/give-back.ts";
import { listReservations } from "../../src/agent/capacity/reservation-store.ts";
import { listServices } from "../../src/agent/capacity/service-store.ts";
import { showCapacity } from "../../src/agent/capacity/show.ts";
import type { AgentContext } from "../../src/agent/context.ts";
import type { Grant } from "../../src/enablement/grant.ts";
import { chainOrigin, checkChain } from "../../src/meter/chain.ts";
import { Refusal } from "../../src/refusal/refusal.ts";
import { newId } from "../../src/unit/id.ts";
import { makeTempFolder } from "../setup/temp-folder.ts";
import {
  CORE,
  createProvider,
  enabled,
  kindsOf,
  meteredOf,
  recordsOf,
  returned,
  STANDBY,
  serveRounds,
} from "./capacity.ts";
import { makeClientKey } from "./client-key.ts";
import { createRig, desireLease, leaseOf } from "./harness.ts";
import { coreSeconds, longer, reservedOn } from "./lent.ts";
import { begun } from "./own.ts";

const temporary = makeTempFolder("reserved");
afterAll(() => temporary.remove());
const client = makeClientKey(temporary.path);

/** A host of a server, with a lease of one core that has `seconds` to go, and a provider. */
async function world(seconds = 600) {
  const rig = createRig({ ...STANDBY, reserve: { cpuMilli: 0 } });
  const provider = createProvider();
  rig.server.state.provider = provider;
  const agent = await rig.start();
  provider.pin(agent);
  const { server } = rig;
  const grant = desireLease(server, server.grantOf({ seconds, clientKey: client.publicLine }));
  await rig.round(agent);
  const spec = () => rig.driver.guests.get(grant.leaseId)?.spec;
  return { rig, provider, agent, server, grant, spec };
}

/** Enables for the leased partition with what its client signs when it is shown the statement. */
async function agreed(agent: AgentContext, code: string, quantity?: number) {
  const wish = { code, partition: "p1", ...(quantity === undefined ? {} : { quantity }) };
  const asked = await enable(agent, wish);
  if (!(asked instanceof Refusal)) throw new Error("nobody was asked");
  const statement = /: (consent: .*)$/.exec(asked.message)?.[1];
  if (statement === undefined) return asked;
  return enable(agent, { ...wish, consent: client.sign(statement) });
}

const lasting = (seconds: number, quantity = CORE) => ({
  ...{ resource: "cpu" as const, quantity, resourceTime: `${coreSeconds(seconds)}` },
});

test("what a client agreed to is reserved to its lease's end, metered until then, and billed for that", async () => {
  const { rig, provider, agent, server, grant, spec } = await world(600);
  await rig.rounds(agent, 10, 10_000);
  const code = provider.code(agent, lasting(1_000));
  const done = await agreed(agent, code);
  expect(done).toMatchObject({
    service: { state: "in-service", leaseId: grant.leaseId, cores: [2] },
  });
  expect(spec()).toMatchObject({ size: { cpuMilli: 2000 }, cores: [0, 2] });
  expect(reservedOn(agent)).toBe(coreSeconds(500));
  expect(showCapacity(agent).accounts).toMatchObject([
    { left: `${coreSeconds(1_000)}`, reserved: `${coreSeconds(500)}` },
  ]);
  await serveRounds(rig, agent, 20, 10_000);
  expect(spec()).toBeDefined();
  rig.clock.pass(4_321);
  await serveRounds(rig, agent, 12, 30_000);

  expect(rig.driver.guests.size).toBe(0);
  expect(server.reportsOf("wiped", grant.leaseId)).toHaveLength(1);
  // To the nanosecond: the agent saw the end late, and nothing is metered behind it.
  expect(meteredOf(agent)).toBe(coreSeconds(500));
  expect(checkChain(chainOrigin(code), recordsOf(agent))).toEqual({ ok: true });
  expect(recordsOf(agent).every(({ record }) => record.capacity?.overdraft === "0")).toBe(true);
  expect(kindsOf(agent)).toEqual([
    ...["code-accepted", "resource-time-reserved", "service-begun", "chain-begun"],
    ...["resource-time-freed", "service-returned", "time-to-bill lease-end"],
  ]);
  expect(listServices(agent.db)).toEqual([]);
  expect(showCapacity(agent).accounts).toMatchObject([
    { left: `${coreSeconds(500)}`, reserved: "0" },
  ]);
});

test("a lease gets nothing that does not last as long as it, and its owner is told what would", async () => {
  const { provider, agent, spec } = await world(3600);
  const short = provider.code(agent, lasting(1_800));
  expect(await agreed(agent, short)).toMatchObject({
    code: "capacity-not-reservable",
    message: expect.stringMatching(
      /take 60 core-minutes, .* have 30 core-minutes that is not reserved.*request --cpu 1 --for 3600s/,
    ),
  });
  const start = "2027-01-31T00:00:00Z";
  const early = { ...lasting(7_200), validity: { start, end: "2027-01-31T08:30:00Z" } };
  expect(await agreed(agent, provider.code(agent, early))).toMatchObject({
    code: "capacity-not-reservable",
  });
  expect(listServices(agent.db)).toEqual([]);
  expect(reservedOn(agent)).toBe(0n);
  expect(spec()).toMatchObject({ size: { cpuMilli: 1000 }, cores: [0] });
  // Together with one that lasts, what is left of the first counts too.
  expect(await agreed(agent, provider.code(agent, lasting(1_800)))).toMatchObject({
    service: { state: "in-service" },
  });
  expect(listReservations(agent.db)).toHaveLength(2);
});

test("what is reserved is drawn by nobody else: the owner's use beyond the rest is its overdraft", async () => {
  const { rig, provider, agent, server, grant } = await world(600);
  const other = { partitionId: newId("partition"), name: "p2", lendable: false };
  server.desire({ partitions: [server.partition(), { ...server.partition(), ...other }] });
  await rig.round(agent);
  await begun(agent, "p2");
  await rig.round(agent);
  const code = provider.code(agent, lasting(700, 2 * CORE));
  await agreed(agent, code, CORE);
  await enabled(agent, { partition: "p2", quantity: CORE });
  await serveRounds(rig, agent, 70, 10_000);
  await returned(agent, { partition: "p2" });

  const sums = new Map<string, { debited: bigint; overdraft: bigint }>();
  for (const { record } of recordsOf(agent)) {
    const { debited, overdraft } = sums.get(record.partitionId) ?? { debited: 0n, overdraft: 0n };
    const debits = record.capacity?.debits ?? [];
    sums.set(record.partitionId, {
      debited: debits.reduce((sum, { quantity }) => sum + BigInt(quantity), debited),
      overdraft: overdraft + BigInt(record.capacity?.overdraft ?? 0),
    });
  }
  expect(sums.get(grant.partition.partitionId)).toEqual({
    ...{ debited: coreSeconds(600), overdraft: 0n },
  });
  // Of its 700 seconds the owner had 100 core-seconds from the code.
  expect(sums.get(other.partitionId)).toEqual({
    ...{ debited: coreSeconds(100), overdraft: coreSeconds(600) },
  });
  expect(kindsOf(agent)).toContain("resource-time-used-up");
});

test("what a lease has stays until its end, and what was reserved and not used is free again then", async () => {
  const { rig, provider, agent, server, grant, spec } = await world(600);
  await agreed(agent, provider.code(agent, lasting(600)));
  expect(await enable(agent, { shared: true })).toMatchObject({ code: "capacity-none" });
  await serveRounds(rig, agent, 10, 10_000);
  expect(await giveBack(agent, { partition: "p1" })).toMatchObject({ code: "capacity-of-lease" });
  expect(spec()).toMatchObject({ size: { cpuMilli: 2000 } });
  server.desire({ leases: [leaseOf(server, grant, server.signEnd(grant.leaseId))] });
  await serveRounds(rig, agent, 3, 1_000);
  expect(reservedOn(agent)).toBe(0n);
  await enabled(agent, { shared: true });
  expect(kindsOf(agent).filter((kind) => kind.startsWith("time-to-bill"))).toEqual([
    "time-to-bill lease-end",
  ]);
});

test("an extension is acknowledged when the longer time is reserved too, and refused otherwise", async () => {
  const { rig, provider, agent, server, grant } = await world(600);
  await agreed(agent, provider.code(agent, lasting(900)));
  const second = longer(grant, 300);
  const tell = (...codes: Grant[]) =>
    server.desire({
      leases: [
        leaseOf(
          server,
          grant,
          null,
          codes.map((one) => server.signGrant(one)),
        ),
      ],
    });
  tell(second);
  await serveRounds(rig, agent, 1, 1_000);
  expect(server.reportsOf("extended")).toHaveLength(1);
  const used = meteredOf(agent);
  expect(reservedOn(agent) + used).toBe(coreSeconds(900));
  tell(second, longer(second, 1));
  await serveRounds(rig, agent, 2, 1_000);
  expect(server.reportsOf("extension-refused")).toMatchObject([
    { reason: "capacity-exceeded", message: expect.stringContaining("1 core-seconds more") },
  ]);
  await serveRounds(rig, agent, 31, 30_000);
  expect(rig.driver.guests.size).toBe(0);
  expect(meteredOf(agent)).toBe(coreSeconds(900));
  expect(recordsOf(agent).every(({ record }) => record.capacity?.overdraft === "0")).toBe(true);
});

test("while its client has the guest off the timer pauses, and what it had stays reserved", async () => {
  const { rig, provider, agent, server, grant, spec } = await world(600);
  await agreed(agent, provider.code(agent, lasting(600)));
  const wish = async (state: "on" | "off", generation: number) => {
    const jws = server.signPower(grant.leaseId, state, generation);
    server.desire({ leases: [leaseOf(server, grant, null, [], 1, jws)] });
    await serveRounds(rig, agent, 2, 1_000);
  };
  await serveRounds(rig, agent, 10, 10_000);
  await wish("off", 1);
  await serveRounds(rig, agent, 20, 10_000);
  const off = meteredOf(agent);
  expect(off).toBeLessThan(coreSeconds(103));
  expect(reservedOn(agent)).toBe(coreSeconds(600) - off);
  await wish("on", 2);
  await serveRounds(rig, agent, 2, 10_000);
  await serveRounds(rig, agent, 14, 30_000);
  expect(spec()).toBeUndefined();
  expect(meteredOf(agent)).toBeGreaterThan(coreSeconds(380));
  expect(meteredOf(agent)).toBeLessThan(coreSeconds(402));
});

test("what the owner enabled for a partition is not that of a lease that comes into it", async () => {
  const rig = createRig(STANDBY);
  const provider = createProvider();
  rig.server.state.provider = provider;
  const agent = await rig.start();
  provider.pin(agent);
  const { server } = rig;
  server.desire({ partitions: [server.partition()] });
  await rig.round(agent);
  await enabled(agent, { code: provider.code(agent), partition: "p1" });
  const grant = desireLease(server, server.grantOf({ seconds: 60 }));
  await serveRounds(rig, agent, 4, 10_000);
  expect(rig.driver.guests.get(grant.leaseId)?.spec).toMatchObject({
    ...{ size: { cpuMilli: 1000 }, cores: [0] },
  });
  expect(meteredOf(agent)).toBe(0n);
});
