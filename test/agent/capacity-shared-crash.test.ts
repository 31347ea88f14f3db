import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { enable } from "../../src/agent/capacity/enable.ts";
import { giveBack } from "../../src/agent/capacity/give-back.ts";
import { capacityOnce } from "../../src/agent/capacity/once.ts";
import { listServices } from "../../src/agent/capacity/service-store.ts";
import { setThreshold } from "../../src/agent/capacity/threshold.ts";
import type { AgentContext } from "../../src/agent/context.ts";
import type { Threshold } from "../../src/enablement/capacity/terms.ts";
import { chainOrigin, checkChain } from "../../src/meter/chain.ts";
import { actsOf, createProvider, recordsOf, SECOND_NS, STANDBY, serveRounds } from "./capacity.ts";
import { createCrashPoint } from "./crash.ts";
import { createRig } from "./harness.ts";
import { begun, cut, SIZE } from "./own.ts";

const PERIOD = { kind: "fixed", seconds: 300, anchor: "2027-01-31T08:00:00Z" } as const;
/** Of each period; half a core over five minutes would be 150. */
const FIRST_SECONDS = 150n;
const LATER_SECONDS = 20n;
const allowance = (seconds: bigint): Threshold => ({
  kind: "allowance",
  milliCoreNs: `${seconds * 1000n * SECOND_NS}`,
});

/** Two shared guests that run, as a file of the agent's and what the driver was told. */
async function begin() {
  const rig = createRig(STANDBY);
  const provider = createProvider();
  const agent = await rig.startAlone();
  provider.pin(agent);
  const max = { ...SIZE, cpuMilli: 2000 };
  const guestIds: string[] = [];
  for (const name of ["p1", "p2"]) {
    cut(agent, name, { size: { ...SIZE, cpuMilli: 500 }, cpuMode: "shared", max });
    guestIds.push((await begun(agent, name)).leaseId);
  }
  await rig.rounds(agent, 2, 1_000);
  const code = provider.code(agent, { billingPeriod: PERIOD });
  agent.db.close();
  const specs = guestIds.flatMap((id) => rig.driver.guests.get(id)?.spec ?? []);
  return { state: readFileSync(join(rig.folder, "agent.db")), specs, code };
}
type Ready = Awaited<ReturnType<typeof begin>>;

/**
 * Enables a core for the pool, sets a threshold, samples over the edge of a period and gives it back;
 * the agent dies at its `at`th boundary and starts again.
 */
async function story({ state, specs, code }: Ready, at: number) {
  const rig = createRig(STANDBY);
  writeFileSync(join(rig.folder, "agent.db"), state, { mode: 0o600 });
  for (const spec of specs) await rig.driver.boot(spec);
  rig.clock.pass(2_000);

  const crash = createCrashPoint(at);
  let agent = await rig.startAlone({ driver: crash.driver(rig.driver), onOpen: crash.attach });
  const orRestart = async (work: () => unknown): Promise<void> => {
    try {
      await work();
      return;
    } catch (error) {
      if (!crash.isDead()) throw error;
    }
    agent = await rig.startAlone();
    await work();
  };
  await orRestart(() => enable(agent, { code, shared: true }));
  await orRestart(() =>
    setThreshold(agent, { partition: "p1", threshold: allowance(LATER_SECONDS) }),
  );
  for (let i = 0; i < 3; i++) {
    rig.clock.pass(120_000);
    rig.burn(120n * SECOND_NS);
    await orRestart(() => capacityOnce(agent));
  }
  await orRestart(() => giveBack(agent, { shared: true }));
  const crossed = crash.crossed();
  await serveRounds(rig, agent, 1, 1_000);
  return { rig, agent, crossed };
}

/** By partition and period: all use, and what was metered of it. */
function sums(agent: AgentContext): Readonly<Record<string, { cpuNs: bigint; metered: bigint }>> {
  const names = new Map(
    actsOf(agent).flatMap((act) =>
      act.kind === "chain-begun" ? [[act.chainId as string, act.partition.name]] : [],
    ),
  );
  const by: Record<string, { cpuNs: bigint; metered: bigint }> = {};
  for (const { record } of recordsOf(agent)) {
    const key = `${names.get(record.chainId)} ${record.capacity?.period.start.slice(11, 16)}`;
    const { cpuNs, metered } = by[key] ?? { cpuNs: 0n, metered: 0n };
    by[key] = {
      cpuNs: cpuNs + BigInt(record.cpuNs),
      metered: metered + BigInt(record.capacity?.meteredQuantity ?? 0),
    };
  }
  return by;
}

test("of a shared service that an agent's death breaks anywhere, no use is lost or counted twice", async () => {
  const ready = await begin();
  const whole = await story(ready, -1);
  expect(whole.crossed).toBeGreaterThan(20);
  const expected = sums(whole.agent);
  expect(Object.keys(expected).toSorted()).toEqual([
    ...["p1 08:00", "p1 08:05", "p2 08:00", "p2 08:05"],
  ]);
  for (const name of ["p1", "p2"]) {
    const [a, b] = [expected[`${name} 08:00`], expected[`${name} 08:05`]];
    // What an edge divides is rounded down on both sides of it.
    const used = (a?.cpuNs ?? 0n) + (b?.cpuNs ?? 0n);
    expect(360n * SECOND_NS - used).toBeLessThanOrEqual(1n);
    expect(a?.metered).toBe(1000n * ((a?.cpuNs ?? 0n) - FIRST_SECONDS * SECOND_NS));
    const own = name === "p1" ? LATER_SECONDS : FIRST_SECONDS;
    const above = (b?.cpuNs ?? 0n) - own * SECOND_NS;
    expect(b?.metered).toBe(above > 0n ? 1000n * above : 0n);
  }
  // The first two are those of the start, which asks what the driver can.
  for (let at = 3; at <= whole.crossed; at++) {
    const { rig, agent } = await story(ready, at);
    const where = `at boundary ${at}`;
    expect(sums(agent), where).toEqual(expected);
    const services = actsOf(agent).filter(({ kind }) => kind === "service-begun");
    expect(services, where).toHaveLength(1);
    const chains = new Set(recordsOf(agent).map(({ record }) => record.chainId));
    expect(chains.size, where).toBe(2);
    for (const chainId of chains) {
      const records = recordsOf(agent).filter(({ record }) => record.chainId === chainId);
      expect(checkChain(chainOrigin(ready.code), records), where).toEqual({ ok: true });
      expect(
        records.filter(({ record }) => record.final),
        where,
      ).toHaveLength(1);
    }
    expect(listServices(agent.db), where).toEqual([]);
    for (const { spec } of rig.driver.guests.values()) {
      expect(spec, where).toMatchObject({ size: { cpuMilli: 500 }, cores: [0, 1] });
    }
    agent.db.close();
  }
}, 120_000);
