import { expect, test } from "vitest";
import { enable } from "../../src/agent/capacity/enable.ts";
import { giveBack } from "../../src/agent/capacity/give-back.ts";
import { capacityOnce } from "../../src/agent/capacity/once.ts";
import { listServices } from "../../src/agent/capacity/service-store.ts";
import type { AgentContext } from "../../src/agent/context.ts";
import {
  CORE,
  createProvider,
  enabled,
  kindsOf,
  meteredOf,
  SECOND_NS,
  STANDBY,
  serveRounds,
} from "./capacity.ts";
import { dedicatedWorld } from "./dedicated.ts";
import { createRig, type Rig } from "./harness.ts";
import { begun, cut, SIZE } from "./own.ts";

/** What a guest has, and what is recorded of it, whatever came between the two. */

/** Does the work until the driver has resized a guest, and dies before that is recorded. */
async function diedBehindResize(rig: Rig, agent: AgentContext, work: () => Promise<unknown>) {
  const { resize } = rig.driver;
  const done = Promise.withResolvers<void>();
  rig.driver.resize = async (guestId, to) => {
    await resize(guestId, to);
    done.resolve();
    return new Promise(() => undefined);
  };
  void work();
  await done.promise;
  agent.db.close();
  rig.driver.resize = resize;
}

test("a core that was plugged before a crash does not stay in the guest when its owner gives it back", async () => {
  const { rig, provider, agent, spec } = await dedicatedWorld();
  const code = provider.code(agent);
  await diedBehindResize(rig, agent, () => enable(agent, { code, partition: "p1" }));
  const again = await rig.startAlone();
  expect(spec()?.size.cpuMilli).toBe(2000);
  rig.driver.failNext("resize", "resize-refused");
  expect(await giveBack(again, { partition: "p1" })).toMatchObject({
    code: "capacity-not-given-back",
  });
  expect(listServices(again.db)).toMatchObject([{ state: "wanted" }]);
  await serveRounds(rig, again, 5, 10_000);
  expect(spec()?.size.cpuMilli).toBe(1000);
  expect(listServices(again.db)).toEqual([]);
  expect(kindsOf(again)).not.toContain("service-begun");
});

test("a shared guest that was raised before a crash is held to its own when the code is over", async () => {
  const rig = createRig(STANDBY);
  const provider = createProvider();
  const agent = await rig.startAlone();
  provider.pin(agent);
  const size = { ...SIZE, cpuMilli: 500 };
  cut(agent, "p1", { size, cpuMode: "shared", max: { ...SIZE, cpuMilli: 2000 } });
  const { leaseId } = await begun(agent, "p1");
  await rig.rounds(agent, 2, 1_000);
  const validity = { start: "2027-01-31T00:00:00Z", end: "2027-01-31T08:30:00Z" };
  await enabled(agent, { code: provider.code(agent, { validity }), shared: true });
  await diedBehindResize(rig, agent, () => capacityOnce(agent));
  const spec = () => rig.driver.guests.get(leaseId)?.spec;
  expect(spec()?.size.cpuMilli).toBeGreaterThan(500);
  rig.clock.pass(3_600_000);
  const again = await rig.startAlone();
  await serveRounds(rig, again, 5, 10_000);
  expect(spec()).toMatchObject({ size: { cpuMilli: 500 } });
});

test("what a busy guest still has is neither told as returned nor unmetered", async () => {
  const { rig, provider, agent, guestId, spec } = await dedicatedWorld();
  await enabled(agent, { code: provider.code(agent), partition: "p1" });
  await serveRounds(rig, agent, 6, 10_000);
  const busy = Promise.withResolvers<void>();
  const turn = agent.turns.tryTake(guestId, () => busy.promise);
  expect(await giveBack(agent, { partition: "p1" })).toMatchObject({
    code: "capacity-not-given-back",
    message: expect.stringContaining("busy with another change"),
  });
  expect(spec()?.size.cpuMilli).toBe(2000);
  for (let i = 0; i < 6; i++) {
    rig.clock.pass(10_000);
    await capacityOnce(agent);
  }
  busy.resolve();
  await turn;
  expect(await giveBack(agent, { partition: "p1" })).toMatchObject([{ state: "returned" }]);
  expect(spec()?.size.cpuMilli).toBe(1000);
  expect(meteredOf(agent)).toBe(BigInt(CORE) * 120n * SECOND_NS);
});

test("when one of two codes is over, what began last has to be given back", async () => {
  const rig = createRig({ ...STANDBY, reserve: { cpuMilli: 0 } });
  const provider = createProvider();
  const agent = await rig.startAlone();
  provider.pin(agent);
  for (const name of ["p1", "p2"]) {
    cut(agent, name, { size: { ...SIZE, cpuMilli: 1000 } });
    await begun(agent, name);
  }
  await rig.rounds(agent, 2, 1_000);
  const until = (end: string) => ({ validity: { start: "2027-01-31T00:00:00Z", end } });
  const soon = provider.code(agent, { quantity: CORE, ...until("2027-01-31T08:02:00Z") });
  const late = provider.code(agent, { quantity: CORE, ...until("2027-02-28T00:00:00Z") });
  await enabled(agent, { code: soon, partition: "p1" });
  await enabled(agent, { code: late, partition: "p2" });
  await serveRounds(rig, agent, 20, 10_000);
  const inService = listServices(agent.db).filter(({ state }) => state === "in-service");
  expect(inService).toMatchObject([{ partition: { name: "p1" }, quantity: CORE }]);
  expect(kindsOf(agent)).toContain("unreturned");
});
