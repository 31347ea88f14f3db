import { expect, test } from "vitest";
import { listActs } from "../../src/agent/capacity/act-store.ts";
import { enable } from "../../src/agent/capacity/enable.ts";
import { giveBack } from "../../src/agent/capacity/give-back.ts";
import { capacityOnce } from "../../src/agent/capacity/once.ts";
import { listServices } from "../../src/agent/capacity/service-store.ts";
import { hashAct } from "../../src/enablement/capacity/act.ts";
import { chainOrigin, checkChain } from "../../src/meter/chain.ts";
import {
  type actsOf,
  CORE,
  createProvider,
  kindsOf,
  meteredOf,
  recordsOf,
  SECOND_NS,
  STANDBY,
  serveRounds,
} from "./capacity.ts";
import { createCrashPoint } from "./crash.ts";
import { createRig } from "./harness.ts";
import { begun, cut } from "./own.ts";

/** Enables, meters and returns a core; the agent dies at its `at`th boundary and starts again. */
async function story(at: number) {
  const rig = createRig(STANDBY);
  const provider = createProvider();
  const first = await rig.startAlone();
  provider.pin(first);
  cut(first, "p1");
  const { leaseId } = await begun(first, "p1");
  await rig.rounds(first, 2, 1_000);
  const code = provider.code(first);
  first.db.close();

  const crash = createCrashPoint(at);
  let agent = await rig.startAlone({ driver: crash.driver(rig.driver), onOpen: crash.attach });
  const orRestart = async (work: () => Promise<unknown>): Promise<void> => {
    try {
      await work();
      return;
    } catch (error) {
      if (!crash.isDead()) throw error;
    }
    agent = await rig.startAlone();
    await work();
  };
  await orRestart(() => enable(agent, { code, partition: "p1" }));
  for (let i = 0; i < 3; i++) {
    rig.clock.pass(10_000);
    await orRestart(() => capacityOnce(agent));
  }
  await orRestart(() => giveBack(agent, { partition: "p1" }));
  const crossed = crash.crossed();
  await serveRounds(rig, agent, 2, 1_000);
  return { rig, agent, code, crossed, guestId: leaseId };
}

test("an agent that dies at any boundary charges what a living one does, and leaves nothing behind", async () => {
  const whole = await story(-1);
  expect(whole.crossed).toBeGreaterThan(10);
  // The first two are those of the start, which asks what the driver can.
  for (let at = 3; at <= whole.crossed; at++) {
    const { rig, agent, code, guestId } = await story(at);
    const where = `at boundary ${at}`;
    expect(meteredOf(agent), where).toBe(BigInt(CORE) * 30n * SECOND_NS);
    expect(checkChain(chainOrigin(code), recordsOf(agent)), where).toEqual({ ok: true });
    expect(kindsOf(agent), where).toEqual(kindsOf(whole.agent));
    expect(listServices(agent.db), where).toEqual([]);
    expect(rig.driver.guests.get(guestId)?.spec, where).toMatchObject({
      size: { cpuMilli: 1000 },
      cores: [0],
    });
    expect(linkedActs(agent), where).toBe(true);
  }
}, 120_000);

function linkedActs(agent: Parameters<typeof actsOf>[0]): boolean {
  const acts = listActs(agent.db, 1, 1000);
  return acts.every(({ record, hash }, index) => {
    const before = acts[index - 1];
    const isLinked = before === undefined || record.previousHash === before.hash;
    return isLinked && hashAct(record) === hash && record.seq === index + 1;
  });
}
