import { expect, test } from "vitest";
import { capacityOnce } from "../../src/agent/capacity/once.ts";
import { listServices } from "../../src/agent/capacity/service-store.ts";
import type { AgentContext } from "../../src/agent/context.ts";
import { chainOrigin, checkChain } from "../../src/meter/chain.ts";
import { CORE, createProvider, kindsOf, meteredOf, recordsOf, STANDBY } from "./capacity.ts";
import { createCrashPoint } from "./crash.ts";
import { createRig, desireLease } from "./harness.ts";
import { core, coreSeconds, grantWith, lent, reservedOn } from "./lent.ts";

/** A lease with a lent core, from its grant to its wipe; the agent dies at its `at`th boundary. */
async function story(at: number) {
  const rig = createRig(STANDBY);
  const provider = createProvider();
  rig.server.state.provider = provider;
  const first = await rig.start();
  provider.pin(first);
  const { codeId, code } = await lent({ provider, agent: first }, 20);
  const grant = desireLease(rig.server, grantWith(rig.server, [core(codeId)], { seconds: 20 }));
  first.db.close();

  const crash = createCrashPoint(at);
  let agent: AgentContext = await rig.start({
    ...{ driver: crash.driver(rig.driver), onOpen: crash.attach },
  });
  const before = crash.crossed();
  const specs: unknown[] = [];
  const orRestart = async (work: () => Promise<unknown>): Promise<void> => {
    try {
      await work();
      if (!crash.isDead()) return;
    } catch (error) {
      if (!crash.isDead()) throw error;
    }
    agent = await rig.start();
    await work();
  };
  for (let i = 0; i < 4; i++) {
    await orRestart(() => rig.round(agent));
    await orRestart(() => capacityOnce(agent));
    const guest = rig.driver.guests.get(grant.leaseId);
    if (guest?.observation.state === "running") specs.push(guest.spec);
    rig.clock.pass(10_000);
  }
  return { rig, agent, code, grant, specs, before, crossed: crash.crossed() };
}

test("an agent that dies at any boundary of a lease with a lent core serves, meters and returns it once", async () => {
  const whole = await story(-1);
  expect(meteredOf(whole.agent)).toBe(coreSeconds(20));
  expect(whole.crossed - whole.before).toBeGreaterThan(20);
  for (let at = whole.before + 1; at <= whole.crossed; at++) {
    const { rig, agent, code, grant, specs } = await story(at);
    const where = `at boundary ${at}`;
    expect(rig.driver.guests.size, where).toBe(0);
    expect(rig.server.reportsOf("ready", grant.leaseId), where).toHaveLength(1);
    expect(rig.server.reportsOf("wiped", grant.leaseId), where).toHaveLength(1);
    for (const spec of specs) {
      expect(spec, where).toMatchObject({ size: { cpuMilli: 2 * CORE }, cores: [0, 2] });
    }
    expect(kindsOf(agent), where).toEqual(kindsOf(whole.agent));
    expect(new Set(recordsOf(agent).map(({ record }) => record.chainId)).size, where).toBe(1);
    expect(checkChain(chainOrigin(code), recordsOf(agent)), where).toEqual({ ok: true });
    expect(meteredOf(agent), where).toBe(coreSeconds(20));
    expect(listServices(agent.db), where).toEqual([]);
    expect(reservedOn(agent), where).toBe(0n);
    agent.db.close();
  }
}, 240_000);
