import { expect, test } from "vitest";
import { newId } from "../../src/unit/id.ts";
import { createRig, leaseOf, type Rig } from "./harness.ts";

const SHARED = newId("partition");

/** A shared lease of 1.5 cores, and a dedicated one of the partition that the fake server has. */
function desireBoth({ server }: Rig, sharedMilli = 1500) {
  const size = { ...server.size, cpuMilli: sharedMilli };
  const named = { partitionId: SHARED, name: "p2", cpuMode: "shared" as const, size };
  const dedicated = server.grantOf({ seconds: 60 });
  const shared = server.grantOf({ seconds: 300, partition: named });
  const partitions = [server.partition(), { ...server.partition(), ...named }];
  return { dedicated, shared, partitions };
}

test("a shared guest runs on the pool, which shrinks and grows with the dedicated ones", async () => {
  const rig = createRig();
  const { server, driver } = rig;
  const agent = await rig.start();
  const { dedicated, shared, partitions } = desireBoth(rig);
  const coresOf = (leaseId: string) => driver.guests.get(leaseId)?.spec.cores;
  server.desire({ partitions, leases: [leaseOf(server, shared)] });
  await rig.round(agent);
  expect(coresOf(shared.leaseId)).toEqual([0, 1, 2, 3]);

  server.desire({ leases: [leaseOf(server, shared), leaseOf(server, dedicated)] });
  await rig.round(agent);
  expect(coresOf(dedicated.leaseId)).toEqual([0]);
  expect(coresOf(shared.leaseId)).toEqual([1, 2, 3]);

  const moves = driver.calls.filter((call) => call.startsWith("moveToCores"));
  await rig.rounds(agent, 1, 5_000);
  expect(driver.calls.filter((call) => call.startsWith("moveToCores"))).toEqual(moves);
  await rig.rounds(agent, 3, 30_000);
  expect(driver.guests.has(dedicated.leaseId)).toBe(false);
  expect(coresOf(shared.leaseId)).toEqual([0, 1, 2, 3]);
});

test("guests on one pool have different users, as have those of dedicated cores", async () => {
  const rig = createRig();
  const { server, driver } = rig;
  const agent = await rig.start();
  const { dedicated, shared, partitions } = desireBoth(rig, 500);
  const third = newId("partition");
  const another = server.grantOf({
    partition: { ...shared.partition, partitionId: third, name: "p3" },
  });
  const [first, second] = partitions;
  if (first === undefined || second === undefined) throw new Error("two partitions are there");
  server.desire({
    partitions: [first, second, { ...second, partitionId: third, name: "p3" }],
    leases: [dedicated, shared, another].map((grant) => leaseOf(server, grant)),
  });
  await rig.round(agent);
  const uids = [...driver.guests.values()].map(({ spec }) => spec.uid);
  expect(new Set(uids).size).toBe(3);
});

test("a host without control groups refuses a shared grant by name and runs nothing", async () => {
  const rig = createRig();
  const { server, driver } = rig;
  const facts = await driver.probe();
  const probe = async () => ({ ...facts, sharedCpu: false });
  const agent = await rig.start({ driver: { ...driver, probe } });
  const { shared, partitions } = desireBoth(rig);
  server.desire({ partitions, leases: [leaseOf(server, shared)] });
  await rig.rounds(agent, 2, 1_000);
  expect(server.reportsOf("failed")).toMatchObject([{ reason: "fractions-unsupported" }]);
  expect(driver.calls.filter((call) => call.startsWith("boot"))).toEqual([]);
});
