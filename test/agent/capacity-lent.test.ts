import { expect, test } from "vitest";
import { enable } from "../../src/agent/capacity/enable.ts";
import { giveBack } from "../../src/agent/capacity/give-back.ts";
import { keep } from "../../src/agent/capacity/lend.ts";
import { listServices } from "../../src/agent/capacity/service-store.ts";
import { consentStatement } from "../../src/enablement/capacity/consent.ts";
import type { StandbyPart } from "../../src/enablement/capacity/lent.ts";
import type { Grant } from "../../src/enablement/grant.ts";
import { chainOrigin, checkChain } from "../../src/meter/chain.ts";
import { type CodeId, newId } from "../../src/unit/id.ts";
import { CORE, enabled, kindsOf, meteredOf, recordsOf, serveRounds } from "./capacity.ts";
import { makeClientKey } from "./client-key.ts";
import { desireLease, leaseOf } from "./harness.ts";
import { core, coreSeconds, grantWith, lendingHost, lent, longer, reservedOn } from "./lent.ts";

const MIB = 2 ** 20;

test("a lease's guest boots with what is lent to it, and is ready when that is in service", async () => {
  const host = await lendingHost();
  const { rig, agent, server } = host;
  const { codeId } = await lent(host, 600);
  const { answers } = rig.driver;
  rig.driver.answers = async () => false;
  const grant = desireLease(server, grantWith(server, [core(codeId)]));
  await serveRounds(rig, agent, 3, 1_000);
  expect(rig.driver.guests.get(grant.leaseId)?.spec).toMatchObject({
    ...{ size: { cpuMilli: 2000 }, cores: [0, 2] },
  });
  expect(reservedOn(agent)).toBe(coreSeconds(599));
  expect(listServices(agent.db)).toMatchObject([{ state: "wanted", isLent: true, cores: [2] }]);
  expect(server.reportsOf("ready")).toEqual([]);
  expect(kindsOf(agent)).not.toContain("service-begun");

  rig.driver.answers = answers;
  await rig.round(agent);
  expect(server.reportsOf("ready")).toHaveLength(1);
  expect(listServices(agent.db)).toMatchObject([{ state: "in-service" }]);
  expect(rig.driver.calls.filter((call) => call.startsWith("resize"))).toEqual([]);
});

test("its timer runs from then to the lease's end, which bills it; the wipe comes behind its return", async () => {
  const host = await lendingHost();
  const { rig, agent, server } = host;
  const { codeId, code } = await lent(host, 600);
  const grant = desireLease(server, grantWith(server, [core(codeId)], { seconds: 600 }));
  await serveRounds(rig, agent, 1, 7_000);
  const { wipe } = rig.driver;
  const atWipe: unknown[] = [];
  rig.driver.wipe = (guestId) => {
    atWipe.push(...listServices(agent.db));
    return wipe(guestId);
  };
  rig.clock.pass(3_210);
  await serveRounds(rig, agent, 22, 30_000);
  expect(rig.driver.guests.size).toBe(0);
  expect(atWipe).toEqual([]);
  expect(server.reportsOf("wiped", grant.leaseId)).toHaveLength(1);

  expect(meteredOf(agent)).toBe(coreSeconds(593));
  expect(checkChain(chainOrigin(code), recordsOf(agent))).toEqual({ ok: true });
  expect(recordsOf(agent).every(({ record }) => record.capacity?.overdraft === "0")).toBe(true);
  expect(kindsOf(agent)).toEqual([
    ...["code-accepted", "code-lent", "resource-time-reserved", "service-begun", "chain-begun"],
    ...["resource-time-freed", "service-returned", "time-to-bill lease-end"],
  ]);
  expect(reservedOn(agent)).toBe(0n);
  const own = [...server.state.records.values()].filter(
    ({ record }) => record.chainId === grant.leaseId,
  );
  expect(own.length).toBeGreaterThan(1);
  expect(own.every(({ record }) => record.size.cpuMilli === 2000)).toBe(true);
});

test("memory is lent as cores are, and several codes serve one lease", async () => {
  const host = await lendingHost();
  const { rig, agent, server } = host;
  const both = await lent(host, 1_200, { quantity: 2 * CORE });
  const bytes = 512 * MIB;
  const time = (BigInt(bytes) * 600n * 1_000_000_000n).toString();
  const memory = await lent(host, 0, { resource: "memory", quantity: bytes, resourceTime: time });
  const part: StandbyPart = { codeId: memory.codeId, resource: "memory", quantity: bytes };
  const size = { cpuMilli: 3000, memoryBytes: 1536 * MIB };
  const grant = desireLease(server, grantWith(server, [core(both.codeId, 2), part], size));
  await serveRounds(rig, agent, 2, 1_000);
  expect(rig.driver.guests.get(grant.leaseId)?.spec).toMatchObject({
    ...{ size, cores: [0, 2, 3] },
  });
  await serveRounds(rig, agent, 21, 30_000);
  expect(rig.driver.guests.size).toBe(0);
  const chains = new Set(recordsOf(agent).map(({ record }) => record.chainId));
  expect(chains.size).toBe(2);
  expect(recordsOf(agent).every(({ record }) => record.capacity?.overdraft === "0")).toBe(true);
});

/** Of a host that lends a code of one core for 600 core-seconds: what cannot be granted. */
type Wrong = (codeId: CodeId, grant: Grant) => Partial<Grant>;
const size = (change: object): Wrong => {
  return (_, { partition }) => ({
    partition: { ...partition, size: { ...partition.size, ...change } },
  });
};
const REFUSED: readonly (readonly [string, RegExp, Wrong])[] = [
  ["a code that is not here", /is not lent here/, () => ({ standby: [core(newId("code"))] })],
  [
    "another resource than the code's",
    /enables cpu and not memory/,
    (codeId, grant) => ({
      ...size({ cpuMilli: 1000 })(codeId, grant),
      standby: [{ codeId, resource: "memory", quantity: 128 * MIB }],
    }),
  ],
  [
    "part of a core",
    /no whole cores/,
    (codeId) => ({ standby: [{ codeId, resource: "cpu", quantity: 500 }] }),
  ],
  [
    "more than the code lets in at once",
    /lets 1 core in at once/,
    (codeId, grant) => ({
      ...size({ cpuMilli: 3000 })(codeId, grant),
      standby: [core(codeId, 2)],
    }),
  ],
  [
    "more than there is in standby",
    /2 cores are free/,
    (codeId, grant) => ({
      ...size({ cpuMilli: 4000 })(codeId, grant),
      standby: [core(codeId, 3)],
    }),
  ],
  [
    "one code twice",
    /named twice/,
    (codeId, grant) => ({
      ...size({ cpuMilli: 3000 })(codeId, grant),
      standby: [core(codeId), core(codeId)],
    }),
  ],
  ["no core of the base", /the base's, and not standby's/, size({ cpuMilli: 1000 })],
  ["more of the base than there is", /than this host has/, size({ cpuMilli: 3000 })],
  [
    "more time than is left",
    /has 10 core-minutes that is not reserved .* takes 10.01 core-minutes/,
    (_, grant) => ({ period: { ...grant.period, end: later(grant.period.end, 1) } }),
  ],
  [
    "a longer lease than the code is valid",
    /valid from .* to 2027-02-02/,
    (_, grant) => ({ period: { ...grant.period, end: "2027-02-02T00:00:01.000Z" } }),
  ],
];

test.each(REFUSED)("%s is refused by name, and nothing is reserved", async (_what, why, alter) => {
  const host = await lendingHost();
  const { rig, agent, server } = host;
  const validity = { start: "2027-01-31T00:00:00Z", end: "2027-02-02T00:00:00Z" };
  const { codeId } = await lent(host, 600, { validity });
  const right = grantWith(server, [core(codeId)], { seconds: 600 });
  const grant = desireLease(server, { ...right, ...alter(codeId, right) });
  await rig.round(agent);
  expect(server.reportsOf("failed", grant.leaseId)).toMatchObject([
    { reason: "capacity-exceeded", message: expect.stringMatching(why) },
  ]);
  expect(rig.driver.calls.filter((call) => call.startsWith("boot"))).toEqual([]);
  expect(reservedOn(agent)).toBe(0n);
  expect(listServices(agent.db)).toEqual([]);
});

test("a shared partition is served by nothing that is lent", async () => {
  const host = await lendingHost();
  const { rig, agent, server } = host;
  const { codeId } = await lent(host, 600);
  server.desire({ partitions: [server.partition({ cpuMode: "shared" })] });
  const right = grantWith(server, [core(codeId)]);
  const grant = { ...right, partition: { ...right.partition, cpuMode: "shared" as const } };
  server.desire({ leases: [leaseOf(server, grant)] });
  await rig.round(agent);
  expect(server.reportsOf("failed", grant.leaseId)).toMatchObject([
    { reason: "capacity-exceeded", message: expect.stringContaining("shared cpu") },
  ]);
});

test("a lease waits for what one on its way out still has", async () => {
  const host = await lendingHost();
  const { rig, agent, server } = host;
  const { codeId } = await lent(host, 1_200);
  const first = desireLease(server, grantWith(server, [core(codeId)], { seconds: 60 }));
  await serveRounds(rig, agent, 2, 1_000);
  const { stop } = rig.driver;
  const stopping = Promise.withResolvers<void>();
  rig.driver.stop = async (guestId, graceMs) => {
    await stopping.promise;
    return stop(guestId, graceMs);
  };
  rig.clock.pass(60_000);
  const ending = rig.round(agent);
  const second = grantWith(server, [core(codeId)], { seconds: 600 });
  server.desire({ leases: [leaseOf(server, first), leaseOf(server, second)] });
  const meanwhile = rig.round(agent);
  await meanwhile;
  expect(rig.driver.guests.has(second.leaseId)).toBe(false);
  expect(listServices(agent.db)).toMatchObject([{ cores: [2] }, { cores: [], state: "wanted" }]);
  stopping.resolve();
  await ending;
  await serveRounds(rig, agent, 3, 1_000);
  expect(rig.driver.guests.get(second.leaseId)?.spec.cores).toEqual([0, 2]);
  expect(server.reportsOf("ready", second.leaseId)).toHaveLength(1);
});

test("while its client has the guest off the timer pauses, and the next life boots with all of it", async () => {
  const host = await lendingHost();
  const { rig, agent, server } = host;
  const { codeId } = await lent(host, 600);
  const grant = desireLease(server, grantWith(server, [core(codeId)], { seconds: 600 }));
  await serveRounds(rig, agent, 10, 10_000);
  const wish = async (state: "on" | "off", generation: number) => {
    const jws = server.signPower(grant.leaseId, state, generation);
    server.desire({ leases: [leaseOf(server, grant, null, [], 1, jws)] });
    await serveRounds(rig, agent, 2, 1_000);
  };
  await wish("off", 1);
  await serveRounds(rig, agent, 20, 10_000);
  await wish("on", 2);
  expect(rig.driver.guests.get(grant.leaseId)?.spec).toMatchObject({
    ...{ size: { cpuMilli: 2000 }, cores: [0, 2] },
  });
  await serveRounds(rig, agent, 2, 10_000);
  await serveRounds(rig, agent, 14, 30_000);
  expect(rig.driver.guests.size).toBe(0);
  expect(meteredOf(agent)).toBeGreaterThan(coreSeconds(370));
  expect(meteredOf(agent)).toBeLessThan(coreSeconds(402));
  expect(rig.driver.calls.filter((call) => call.startsWith("resize"))).toEqual([]);
});

test("a crash of its guest pauses the timer too, and its next life has all of it", async () => {
  const host = await lendingHost();
  const { rig, agent, server } = host;
  const { codeId } = await lent(host, 600);
  const grant = desireLease(server, grantWith(server, [core(codeId)], { seconds: 600 }));
  await serveRounds(rig, agent, 6, 10_000);
  rig.driver.end(grant.leaseId, "guest-crashed");
  await serveRounds(rig, agent, 2, 1_000);
  expect(rig.driver.guests.get(grant.leaseId)).toMatchObject({
    ...{ spec: { cores: [0, 2] }, observation: { state: "running" } },
  });
  expect(listServices(agent.db)).toMatchObject([{ state: "in-service" }]);
});

test("an extension is acknowledged when its code has the longer time too, and refused otherwise", async () => {
  const host = await lendingHost();
  const { rig, agent, server } = host;
  const { codeId } = await lent(host, 900);
  // Another code that is lent is for other leases.
  await lent(host, 900);
  const grant = desireLease(server, grantWith(server, [core(codeId)], { seconds: 600 }));
  await serveRounds(rig, agent, 2, 1_000);
  const second = longer(grant, 300);
  const third = longer(second, 2);
  const codes = [second, third].map((one) => server.signGrant(one));
  server.desire({ leases: [leaseOf(server, grant, null, codes)] });
  await serveRounds(rig, agent, 2, 1_000);
  expect(server.reportsOf("extended")).toHaveLength(1);
  expect(server.reportsOf("extension-refused")).toMatchObject([{ reason: "capacity-exceeded" }]);
  await serveRounds(rig, agent, 31, 30_000);
  expect(rig.driver.guests.size).toBe(0);
  expect(recordsOf(agent).every(({ record }) => record.capacity?.overdraft === "0")).toBe(true);
});

test("an extension that leaves out what is standby's is another grant, and is refused", async () => {
  const host = await lendingHost();
  const { rig, agent, server } = host;
  const { codeId } = await lent(host, 900);
  const grant = desireLease(server, grantWith(server, [core(codeId)], { seconds: 600 }));
  await serveRounds(rig, agent, 2, 1_000);
  const { standby: _, ...without } = longer(grant, 60);
  server.desire({ leases: [leaseOf(server, grant, null, [server.signGrant(without)])] });
  await rig.round(agent);
  expect(server.reportsOf("extension-refused")).toMatchObject([{ reason: "extension-differs" }]);
});

test("a client agrees to more on top of what is lent, and has both until the end", async () => {
  const host = await lendingHost();
  const { rig, agent, server, provider } = host;
  const client = makeClientKey(rig.folder);
  const { codeId } = await lent(host, 600);
  const granted = grantWith(server, [core(codeId)], { seconds: 600 });
  const grant = desireLease(server, { ...granted, clientKey: client.publicLine });
  await serveRounds(rig, agent, 2, 1_000);
  const other = await lent(host, 900);
  const spec = () => rig.driver.guests.get(grant.leaseId)?.spec;
  const own = provider.codeFor(agent.host.hostId, { resourceTime: `${coreSeconds(600)}` });
  expect(await enable(agent, { code: provider.sign(own), partition: "p1" })).toMatchObject({
    code: "standby-taken",
  });
  await keep(agent, other.codeId);
  const { leaseId } = grant;
  const asked = { leaseId, resource: "cpu", quantity: CORE, codeId: own.jti } as const;
  const consent = client.sign(consentStatement(asked));
  await enabled(agent, { code: provider.sign(own), partition: "p1", consent });
  expect(spec()).toMatchObject({ size: { cpuMilli: 3000 }, cores: [0, 2, 3] });
  expect(await giveBack(agent, { partition: "p1" })).toMatchObject({ code: "capacity-of-lease" });
  expect(spec()).toMatchObject({ size: { cpuMilli: 3000 }, cores: [0, 2, 3] });
});

test("what serves a lease its owner neither returns nor keeps before the lease's end", async () => {
  const host = await lendingHost();
  const { rig, agent, server } = host;
  const { codeId } = await lent(host, 900);
  const grant = desireLease(server, grantWith(server, [core(codeId)], { seconds: 60 }));
  await serveRounds(rig, agent, 2, 1_000);
  const { leaseId } = grant;
  expect(await giveBack(agent, { partition: "p1" })).toMatchObject({
    ...{ code: "capacity-of-lease", message: expect.stringContaining(leaseId) },
  });
  expect(await keep(agent, codeId)).toMatchObject({ code: "code-serves-lease" });
  await serveRounds(rig, agent, 8, 10_000);
  expect(await keep(agent, codeId)).toMatchObject({ isSoAlready: false });
});

function later(instant: string, seconds: number): string {
  return new Date(Date.parse(instant) + seconds * 1000).toISOString();
}
