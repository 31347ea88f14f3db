import { expect, test } from "vitest";
import { createRig, desireLease, type Rig } from "./harness.ts";

test("a guest whose process died is told of, booted again and delivered again", async () => {
  const { rig, agent, leaseId } = await delivered();
  const port = rig.driver.guests.get(leaseId)?.observation.port;
  rig.driver.end(leaseId, "process-died");
  await rig.rounds(agent, 1, 1_000);
  expect(rig.server.reportsOf("undelivered")).toMatchObject([{ reason: "process-died" }]);
  expect(rig.server.reportsOf("delivered-again")).toHaveLength(1);
  expect(rig.driver.guests.get(leaseId)?.observation).toMatchObject({ state: "running", port });
});

test("time in which the guest was dead is not delivered", async () => {
  const { rig, agent, leaseId } = await delivered({ seconds: 60 });
  await rig.rounds(agent, 2, 10_000);
  rig.driver.end(leaseId, "process-died");
  rig.driver.failNext("boot", "boot-failed", 100);
  await rig.rounds(agent, 2, 10_000);
  expect(rig.server.reportsOf("failed")).toEqual([]);
  await rig.rounds(agent, 3, 10_000);
  expect(rig.driver.guests.size).toBe(0);
  expect(deliveredSeconds(rig)).toBe(20);
});

test("a client that powers its guest off keeps it off and goes on paying for what it reserved", async () => {
  const { rig, agent, leaseId } = await delivered({ seconds: 60 });
  await rig.rounds(agent, 2, 10_000);
  rig.driver.end(leaseId, "guest-powered-off");
  await rig.rounds(agent, 2, 10_000);
  expect(rig.server.reportsOf("undelivered")).toMatchObject([{ reason: "guest-powered-off" }]);
  expect(rig.driver.calls.filter((call) => call.startsWith("boot"))).toHaveLength(1);
  await rig.rounds(agent, 3, 10_000);
  expect(deliveredSeconds(rig)).toBe(60);
});

test("a guest that powers itself off before it ever answered again is not charged", async () => {
  const { rig, agent, leaseId } = await delivered({ seconds: 100 });
  await rig.rounds(agent, 2, 10_000);
  rig.driver.setAnswers(leaseId, false);
  await rig.rounds(agent, 3, 10_000);
  rig.driver.end(leaseId, "guest-powered-off");
  await rig.rounds(agent, 6, 10_000);
  expect(deliveredSeconds(rig)).toBe(20);
});

test("a way in that falls silent is told of, not charged, and told of again when it answers", async () => {
  const { rig, agent, leaseId } = await delivered({ seconds: 100 });
  await rig.rounds(agent, 2, 10_000);
  rig.driver.setAnswers(leaseId, false);
  await rig.rounds(agent, 3, 10_000);
  expect(rig.server.reportsOf("undelivered")).toMatchObject([{ reason: "way-in-silent" }]);
  rig.driver.setAnswers(leaseId, true);
  await rig.rounds(agent, 1, 10_000);
  expect(rig.server.reportsOf("delivered-again")).toHaveLength(1);
  await rig.rounds(agent, 5, 10_000);
  expect(deliveredSeconds(rig)).toBe(20 + 40);
});

test("a guest that computes while its way in is silent is in use, and charged", async () => {
  const { rig, agent, leaseId } = await delivered({ seconds: 100 });
  await rig.rounds(agent, 2, 10_000);
  rig.driver.setAnswers(leaseId, false);
  for (let round = 0; round < 3; round++) {
    rig.burn(5_000_000_000n);
    await rig.rounds(agent, 1, 10_000);
  }
  expect(rig.server.reportsOf("undelivered")).toEqual([]);
  // Now it does nothing at all.
  await rig.rounds(agent, 5, 10_000);
  expect(deliveredSeconds(rig)).toBe(20 + 30);
});

test("a guest that never boots fails the lease by name, after a few tries", async () => {
  const rig = createRig();
  const agent = await rig.start();
  rig.driver.failNext("boot", "boot-failed", 100);
  desireLease(rig.server, rig.server.grantOf({ seconds: 3600 }));
  await rig.rounds(agent, 8, 10_000);
  expect(rig.server.reportsOf("failed")).toMatchObject([{ reason: "boot-failed" }]);
  expect(rig.driver.calls.filter((call) => call.startsWith("boot"))).toHaveLength(4);
  expect(rig.server.reportsOf("wiped")).toHaveLength(1);
});

test("what this computer cannot do at all is not tried again", async () => {
  const rig = createRig();
  const agent = await rig.start();
  rig.driver.failNext("boot", "qemu-missing", 100);
  desireLease(rig.server);
  await rig.round(agent);
  expect(rig.server.reportsOf("failed")).toMatchObject([{ reason: "qemu-missing" }]);
  expect(rig.driver.calls.filter((call) => call.startsWith("boot"))).toHaveLength(1);
});

test("a wipe that fails is tried until it succeeds, and only then is there a receipt", async () => {
  const { rig, agent } = await delivered({ seconds: 30 });
  rig.driver.failNext("wipe", "disk-full", 6);
  await rig.rounds(agent, 4, 10_000);
  expect(rig.server.reportsOf("wiped")).toEqual([]);
  await rig.rounds(agent, 8, 31_000);
  expect(rig.server.reportsOf("wiped")).toHaveLength(1);
});

async function delivered(change: { seconds?: number } = {}) {
  const rig = createRig();
  const agent = await rig.start();
  const { leaseId } = desireLease(rig.server, rig.server.grantOf({ seconds: 600, ...change }));
  await rig.round(agent);
  expect(rig.server.reportsOf("ready")).toHaveLength(1);
  return { rig, agent, leaseId };
}

function deliveredSeconds({ server }: Rig): number {
  const records = [...server.state.records.values()];
  const sumNs = records.reduce((sum, { record }) => sum + BigInt(record.deliveredNs), 0n);
  return Number(sumNs / 1_000_000_000n);
}
