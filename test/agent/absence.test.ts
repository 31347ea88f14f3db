import { expect, test } from "vitest";
import { convergeOnce } from "../../src/agent/lease/converge.ts";
import { chainOrigin, checkChain } from "../../src/meter/chain.ts";
import { createRig, desireLease, leaseOf } from "./harness.ts";

test("an empty desired state destroys nothing", async () => {
  const { server, driver, ...rig } = createRig();
  const agent = await rig.start();
  const grant = desireLease(server, server.grantOf({ seconds: 3600 }));
  await rig.round(agent);
  const guest = driver.guests.get(grant.leaseId)?.observation.processId;
  server.desire({ partitions: [], leases: [] });
  await rig.rounds(agent, 5, 10_000);
  expect(driver.guests.get(grant.leaseId)?.observation).toMatchObject({
    ...{ state: "running", processId: guest },
  });
  expect(server.reportsOf("ending")).toEqual([]);
});

test("a partition that is to be removed stays as long as its lease", async () => {
  const { server, driver, ...rig } = createRig();
  const agent = await rig.start();
  const grant = desireLease(server);
  await rig.round(agent);
  server.desire({ partitions: [], removedPartitionIds: [server.partitionId], leases: [] });
  await rig.rounds(agent, 2, 10_000);
  expect(driver.guests.has(grant.leaseId)).toBe(true);
});

test("with the server away for the whole lease it still ends, is wiped, and all is told later", async () => {
  const { server, driver, ...rig } = createRig();
  const agent = await rig.start();
  const grant = desireLease(server, server.grantOf({ seconds: 120 }));
  await rig.round(agent);
  server.state.reports.clear();
  server.state.records.clear();
  server.state.isAway = true;
  await rig.rounds(agent, 15, 10_000);
  expect(driver.guests.size).toBe(0);
  expect(server.state.records.size).toBe(0);
  server.state.isAway = false;
  await rig.round(agent);
  expect([...server.state.reports.values()].map(({ kind }) => kind)).toEqual(["ending", "wiped"]);
  const records = [...server.state.records.values()];
  expect(checkChain(chainOrigin(server.signGrant(grant)), records)).toEqual({ ok: true });
  const deliveredNs = records.reduce((sum, { record }) => sum + BigInt(record.deliveredNs), 0n);
  expect(deliveredNs).toBe(120_000_000_000n);
});

test("cut off from the server for twenty minutes, the host meters on and delivers it all: no gap", async () => {
  const { server, driver, ...rig } = createRig();
  const agent = await rig.start();
  const grant = desireLease(server, server.grantOf({ seconds: 3_600 }));
  await rig.round(agent);
  server.state.isAway = true;
  await rig.rounds(agent, 120, 10_000);
  expect(driver.guests.get(grant.leaseId)?.observation.state).toBe("running");
  server.state.isAway = false;
  await rig.rounds(agent, 6, 10_000);
  const records = [...server.state.records.values()];
  expect(checkChain(chainOrigin(server.signGrant(grant)), records)).toEqual({ ok: true });
  expect(records.filter(({ record }) => record.gap)).toEqual([]);
  expect(deliveredSeconds(records)).toBeGreaterThanOrEqual(1_200);
  expect(driver.calls.filter((call) => call.startsWith("boot"))).toHaveLength(1);
});

test("an agent that was down for ten minutes finds its guest, and the gap is marked and not charged", async () => {
  const { server, driver, clock, ...rig } = createRig();
  const first = await rig.start();
  const grant = desireLease(server, server.grantOf({ seconds: 3_600 }));
  await rig.round(first);
  await rig.rounds(first, 6, 10_000);
  first.db.close();
  clock.pass(600_000);
  const agent = await rig.start();
  expect(driver.guests.get(grant.leaseId)?.observation.state).toBe("running");
  await rig.rounds(agent, 12, 10_000);
  const records = [...server.state.records.values()];
  expect(checkChain(chainOrigin(server.signGrant(grant)), records)).toEqual({ ok: true });
  expect(records.filter(({ record }) => record.gap)).toHaveLength(1);
  expect(deliveredSeconds(records)).toBeLessThan(60 + 120);
  expect(driver.calls.filter((call) => call.startsWith("boot"))).toHaveLength(1);
  expect(server.reportsOf("ending")).toEqual([]);
});

function deliveredSeconds(records: readonly { record: { deliveredNs: string } }[]): number {
  const sumNs = records.reduce((sum, { record }) => sum + BigInt(record.deliveredNs), 0n);
  return Number(sumNs / 1_000_000_000n);
}

test("the wall clock stepped an hour either way neither ends nor prolongs a lease", async () => {
  for (const stepMs of [3_600_000, -3_600_000]) {
    const { server, driver, clock, ...rig } = createRig();
    const agent = await rig.start();
    const grant = desireLease(server, server.grantOf({ seconds: 60 }));
    await rig.round(agent);
    clock.stepWall(stepMs);
    await rig.rounds(agent, 5, 10_000);
    expect(driver.guests.get(grant.leaseId)?.observation.state).toBe("running");
    await rig.rounds(agent, 1, 10_000);
    expect(driver.guests.size).toBe(0);
    const [wiped] = server.reportsOf("wiped");
    // Records and reports tell the server's time too.
    expect(wiped?.at).toBe(grant.period.end);
  }
});

test("after a restart of the computer the lease goes on to the same end", async () => {
  const { server, driver, clock, ...rig } = createRig();
  const before = await rig.start();
  const grant = desireLease(server, server.grantOf({ seconds: 120 }));
  await rig.round(before);
  await rig.rounds(before, 3, 10_000);
  before.db.close();
  driver.end(grant.leaseId, "host-restarted");
  clock.reboot();
  const agent = await rig.start();
  await rig.rounds(agent, 2, 10_000);
  expect(server.reportsOf("undelivered")).toMatchObject([{ reason: "host-restarted" }]);
  expect(server.reportsOf("delivered-again")).toHaveLength(1);
  await rig.rounds(agent, 6, 10_000);
  expect(driver.guests.has(grant.leaseId)).toBe(true);
  await rig.rounds(agent, 2, 10_000);
  expect(driver.guests.size).toBe(0);
  const records = [...server.state.records.values()];
  expect(checkChain(chainOrigin(server.signGrant(grant)), records)).toEqual({ ok: true });
});

test("a computer that wakes with a wrong wall clock ends nothing before it asked the server", async () => {
  const { server, driver, clock, ...rig } = createRig();
  const before = await rig.start();
  const grant = desireLease(server, server.grantOf({ seconds: 600 }));
  await rig.round(before);
  before.db.close();
  driver.end(grant.leaseId, "host-restarted");
  clock.reboot();
  clock.stepWall(86_400_000);
  const agent = await rig.start();
  await convergeOnce(agent);
  clock.pass(30_000);
  await convergeOnce(agent);
  expect(driver.guests.get(grant.leaseId)?.observation.state).toBe("running");
  await rig.rounds(agent, 5, 60_000);
  expect(driver.guests.get(grant.leaseId)?.observation.state).toBe("running");
  await rig.rounds(agent, 5, 60_000);
  expect(driver.guests.size).toBe(0);
});

test("a second lease elsewhere on the host gets cores of its own", async () => {
  const { server, driver, ...rig } = createRig();
  const agent = await rig.start();
  const first = desireLease(server);
  const base = server.grantOf();
  const partitionId = "partition_01k00000000000000000zz" as typeof server.partitionId;
  const second = { ...base, partition: { ...base.partition, partitionId, name: "p2" } };
  server.desire({
    partitions: [server.partition(), server.partition({ partitionId, name: "p2" })],
    leases: [leaseOf(server, first), leaseOf(server, second)],
  });
  await rig.round(agent);
  const cores = [...driver.guests.values()].flatMap(({ spec }) => spec.cores);
  expect(cores.toSorted()).toEqual([0, 1]);
  const uids = new Set([...driver.guests.values()].map(({ spec }) => spec.uid));
  expect(uids.size).toBe(2);
});
