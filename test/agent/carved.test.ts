import { expect, test } from "vitest";
import { readPartition } from "../../src/agent/allocation/store.ts";
import type { Grant } from "../../src/enablement/grant.ts";
import { newId } from "../../src/unit/id.ts";
import { GIB } from "./fake-server.ts";
import { createRig, leaseOf, type Rig } from "./harness.ts";

const cores = (count: number) => ({ cpuMilli: count * 1000, memoryBytes: GIB, diskBytes: GIB });

/** Two carved cores, and one core of a partition that stands with three, of the host's four less its reserve. */
function grantsOf({ server }: Rig): Record<"carved" | "whole", Grant> {
  const partition = server.grantOf().partition;
  const partitionId = newId("partition");
  // By its id the agent comes to it first.
  const carved = server.grantOf({
    leaseId: `lease_${"0".repeat(22)}`,
    seconds: 60,
    partition: { ...partition, partitionId, name: "carved-two", size: cores(2) },
  });
  const whole = server.grantOf({ seconds: 60, partition: { ...partition, size: cores(1) } });
  return { carved, whole };
}

function partitionsOf({ server }: Rig, { carved }: Record<"carved", Grant>) {
  const whole = server.partition({ size: cores(3) });
  return [whole, { ...whole, ...carved.partition, lendable: true }];
}

test("what a re-cut leaves over is carved in the same pass, in whichever order the grants arrive", async () => {
  const rig = createRig();
  const { server, driver } = rig;
  const agent = await rig.start();
  const grants = grantsOf(rig);
  server.desire({
    partitions: partitionsOf(rig, grants),
    leases: [leaseOf(server, grants.carved), leaseOf(server, grants.whole)],
  });
  await rig.rounds(agent, 3, 1_000);
  expect(server.reportsOf("failed")).toEqual([]);
  expect(server.reportsOf("ready")).toHaveLength(2);
  const taken = [...driver.guests.values()].flatMap(({ spec }) => spec.cores);
  expect(new Set(taken).size).toBe(3);
});

test("without the re-cut there is no room for it, and it is refused by name", async () => {
  const rig = createRig();
  const agent = await rig.start();
  const grants = grantsOf(rig);
  const leases = [leaseOf(rig.server, grants.carved)];
  rig.server.desire({ partitions: partitionsOf(rig, grants), leases });
  await rig.rounds(agent, 3, 1_000);
  expect(rig.server.reportsOf("failed")).toMatchObject([{ reason: "capacity-exceeded" }]);
});

test("a carved partition is gone from its host once its lease is wiped and the server says so", async () => {
  const rig = createRig();
  const { server } = rig;
  const agent = await rig.start();
  const { carved } = grantsOf(rig);
  const { partitionId } = carved.partition;
  const partition = { ...server.partition(), ...carved.partition, lendable: true };
  server.desire({ partitions: [partition], leases: [leaseOf(server, carved)] });
  await rig.rounds(agent, 9, 10_000);
  expect(server.reportsOf("wiped")).toHaveLength(1);
  server.desire({ partitions: [], leases: [], removedPartitionIds: [partitionId] });
  await rig.round(agent);
  expect(readPartition(agent.db, partitionId)).toBeNull();
});

test("a partition that yields by the hour alone, with no change of it told, makes room for what is carved then", async () => {
  const rig = createRig();
  const { server } = rig;
  const agent = await rig.start();
  const { carved } = grantsOf(rig);
  const whole = server.partition({ size: cores(3) });
  server.desire({ partitions: [whole], leases: [] });
  await rig.round(agent);
  // The same generation: nobody changed it, its reservation in force is another one now.
  const yielding = { ...whole, size: cores(1) };
  const partitions = [yielding, { ...whole, ...carved.partition, lendable: true }];
  server.desire({ partitions, leases: [leaseOf(server, carved)] });
  await rig.rounds(agent, 3, 1_000);
  expect(server.reportsOf("failed")).toEqual([]);
  expect(server.reportsOf("ready")).toHaveLength(1);
  expect(readPartition(agent.db, whole.partitionId)?.size).toEqual(cores(1));
  server.desire({ partitions: [whole], leases: [leaseOf(server, carved)] });
  await rig.round(agent);
  expect(readPartition(agent.db, whole.partitionId)?.size).toEqual(cores(3));
});
