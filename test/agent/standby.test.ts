import { expect, test } from "vitest";
import { changeLease } from "../../src/agent/lease/store.ts";
import { newId } from "../../src/unit/id.ts";
import { GIB } from "./fake-server.ts";
import { createRig, desireLease, leaseOf, type Rig } from "./harness.ts";
import { begun, cut, SIZE } from "./own.ts";

/** Of the computer's four cores, 2 and 3 are in standby, and so is a gibibyte. */
const STANDBY = { standbyCores: "2-3", standbyMemoryBytes: GIB };
const HALF = 512 * 1024 ** 2;

function coresUsed({ driver }: Rig): number[] {
  return [...new Set([...driver.guests.values()].flatMap(({ spec }) => spec.cores))].sort();
}

test("a host has reserve, base and standby; together they are what it was told", async () => {
  const rig = createRig({ ...STANDBY, memoryBytes: 8 * GIB, diskBytes: 10 * GIB });
  const { capacity } = await rig.start();
  expect(capacity).toMatchObject({
    reserve: { cpuMilli: 250, memoryBytes: GIB / 4, diskBytes: GIB },
    base: { cpuMilli: 1750, memoryBytes: 6.75 * GIB, diskBytes: 9 * GIB },
    standby: { cpuMilli: 2000, memoryBytes: GIB, diskBytes: 0 },
    facts: { cores: [0, 1, 2, 3], standbyCores: [2, 3] },
  });
});

test.each([
  [{ standbyCores: "4" }, "standby-cores-not-given"],
  [{ cores: "0-1", standbyCores: "2" }, "standby-cores-not-given"],
  [{ standbyCores: "x" }, "cores-unreadable"],
  [{ standbyMemoryBytes: GIB + 1 }, "standby-not-whole"],
  [{ memoryBytes: GIB, standbyMemoryBytes: GIB }, "nothing-to-lend"],
  [{ standbyCores: "0-3" }, "nothing-to-lend"],
])("a standby that cannot be is refused by name: %o is %s", async (options, code) => {
  await expect(createRig(options).start()).rejects.toMatchObject({ code });
});

test("a leased guest never has a standby core, dedicated or shared, and is given no more", async () => {
  const rig = createRig({ ...STANDBY, reserve: { cpuMilli: 0 } });
  const { server, driver } = rig;
  const agent = await rig.start();
  const shared = {
    ...{ partitionId: newId("partition"), name: "p2", cpuMode: "shared" as const },
    size: { ...server.size, cpuMilli: 500 },
  };
  const first = server.grantOf({ seconds: 600 });
  const second = server.grantOf({ seconds: 600, partition: shared });
  const max = { cpuMilli: 1000, memoryBytes: 2 * GIB, diskBytes: 2 * GIB };
  const partitions = [server.partition({ max }), { ...server.partition({ max }), ...shared }];
  server.desire({ partitions, leases: [leaseOf(server, first), leaseOf(server, second)] });
  await rig.round(agent);
  expect(driver.guests.get(first.leaseId)?.spec).toMatchObject({
    cores: [0],
    // Its machine has room for what a code may enable; what it has is the grant's.
    ...{ size: server.size, maxSize: { cpuMilli: 3000, memoryBytes: 3 * GIB } },
  });
  expect(driver.guests.get(second.leaseId)?.spec.cores).toEqual([1]);
  expect(coresUsed(rig)).toEqual([0, 1]);
});

test("a grant that would need standby cores or memory runs nothing and fails as capacity-exceeded", async () => {
  const rig = createRig({ ...STANDBY, memoryBytes: 4 * GIB });
  const { server, driver } = rig;
  const agent = await rig.start();
  for (const change of [{ cpuMilli: 2000 }, { memoryBytes: 3 * GIB }]) {
    const partition = {
      ...{ partitionId: server.partitionId, name: "p1", cpuMode: "dedicated" as const },
      size: { ...server.size, ...change },
    };
    const grant = desireLease(server, server.grantOf({ partition }));
    await rig.round(agent);
    const [failed] = server.reportsOf("failed", grant.leaseId);
    expect(failed).toMatchObject({ reason: "capacity-exceeded" });
  }
  expect(driver.calls.filter((call) => call.startsWith("boot"))).toEqual([]);
});

test("an own guest has base cores alone, and what is beyond them is refused by name", async () => {
  const rig = createRig(STANDBY);
  const agent = await rig.startAlone();
  expect(() => cut(agent, "big", { size: { ...SIZE, cpuMilli: 2000 } })).toThrow(
    expect.objectContaining({ code: "capacity-exceeded" }),
  );
  cut(agent, "p1");
  cut(agent, "p2", { size: { ...SIZE, cpuMilli: 500, memoryBytes: HALF }, cpuMode: "shared" });
  await begun(agent, "p1");
  await begun(agent, "p2");
  await rig.round(agent);
  expect(coresUsed(rig)).toEqual([0, 1]);
  const specs = [...rig.driver.guests.values()].map(({ spec }) => spec);
  expect(specs.map(({ maxSize }) => maxSize.cpuMilli).toSorted()).toEqual([2500, 3000]);
});

test("on two cores one is the pool's and the host's, the other in standby", async () => {
  const rig = createRig({ cores: "0-1", standbyCores: "1" });
  const agent = await rig.startAlone();
  cut(agent, "p1", { size: { ...SIZE, cpuMilli: 500 }, cpuMode: "shared" });
  await begun(agent, "p1");
  await rig.round(agent);
  expect(coresUsed(rig)).toEqual([0]);
  // A whole core cannot be given: the host's own part is of it.
  const done = () => cut(agent, "p2", { size: SIZE });
  expect(done).toThrow(expect.objectContaining({ code: "capacity-exceeded" }));
});

test("no core goes into standby under a guest that has it for itself", async () => {
  const rig = createRig();
  const agent = await rig.startAlone();
  cut(agent, "p1");
  const { leaseId } = await begun(agent, "p1");
  await rig.round(agent);
  changeLease(agent.db, leaseId, { cores: [3] });
  agent.db.close();
  await expect(rig.startAlone({ options: { standbyCores: "2-3" } })).rejects.toMatchObject({
    code: "standby-in-use",
    message: expect.stringContaining("core 3"),
  });
});

test("a host alone does not start with less than its partitions have", async () => {
  const rig = createRig();
  const agent = await rig.startAlone();
  cut(agent, "p1", { size: { ...SIZE, cpuMilli: 3000 } });
  agent.db.close();
  await expect(rig.startAlone({ options: { standbyCores: "2-3" } })).rejects.toMatchObject({
    code: "host-has-less",
    message: expect.stringContaining("p1"),
  });
});
