import { expect, test } from "vitest";
import type { JoinedContext } from "../../src/agent/context.ts";
import { readLease } from "../../src/agent/lease/store.ts";
import { chainOrigin, checkChain } from "../../src/meter/chain.ts";
import { Crash, type CrashPoint, createCrashPoint } from "./crash.ts";
import { createRig, desireLease, type Rig } from "./harness.ts";

/** Twice the lease's length. */
const ROUNDS_MAX = 14;
const ROUND_MS = 5_000;

test("an agent killed at any boundary of any step ends with one guest, one chain and one receipt", async () => {
  const whole = await liveThrough(Number.POSITIVE_INFINITY);
  expect(whole.crossed).toBeGreaterThan(60);
  // Each boundary once; all are crossed within the first lease's life.
  for (let at = 1; at <= whole.crossed; at++) await liveThrough(at);
});

/** A whole lease, with the agent killed once and started again on the same computer. */
async function liveThrough(at: number): Promise<{ crossed: number }> {
  const rig = createRig();
  const { server, driver, clock } = rig;
  const point = createCrashPoint(at);
  let agent = await startGuarded(rig, point);
  const grant = desireLease(server, server.grantOf({ seconds: 30 }));
  for (let i = 0; i < ROUNDS_MAX; i++) {
    clock.pass(ROUND_MS);
    const died = await survives(() => rig.round(agent), point);
    if (readBack(died, agent, grant.leaseId)) break;
    if (died) agent = await rig.start();
  }
  const message = `killed at boundary ${at}`;
  expect(readLease(agent.db, grant.leaseId)?.stage, message).toBe("done");
  agent.db.close();
  expect(new Set(server.reportsOf("ready").map(accessOf)).size, message).toBe(1);
  expect(server.reportsOf("ready"), message).toHaveLength(1);
  expect(server.reportsOf("wiped"), message).toHaveLength(1);
  expect(server.reportsOf("failed"), message).toEqual([]);
  expect(server.reportsOf("undelivered"), message).toEqual([]);
  const records = [...server.state.records.values()].sort((a, b) => a.record.seq - b.record.seq);
  expect(checkChain(chainOrigin(server.signGrant(grant)), records), message).toEqual({ ok: true });
  expect(records.at(-1)?.record.final, message).toBe(true);
  expect(driver.guests.size, message).toBe(0);
  return { crossed: point.crossed() };
}

async function startGuarded(rig: Rig, point: CrashPoint): Promise<JoinedContext> {
  const overrides = {
    driver: point.driver(rig.driver),
    client: point.client(rig.server.client),
    onOpen: point.attach,
  };
  try {
    return await rig.start(overrides);
  } catch (error) {
    if (!(error instanceof Crash)) throw error;
    return rig.start();
  }
}

/** True when the agent died in it. */
async function survives(work: () => Promise<void>, point: CrashPoint): Promise<boolean> {
  const wasDead = point.isDead();
  try {
    await work();
  } catch (error) {
    if (!point.isDead() || wasDead) throw error;
  }
  return point.isDead() && !wasDead;
}

function readBack(died: boolean, agent: JoinedContext, leaseId: string): boolean {
  return !died && readLease(agent.db, leaseId)?.stage === "done";
}

function accessOf(report: { kind: string; accessJws?: string }): string {
  return report.accessJws ?? "";
}
