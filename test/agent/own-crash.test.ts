import { expect, test } from "vitest";
import { cutPartition } from "../../src/agent/allocation/cut.ts";
import type { AgentContext } from "../../src/agent/context.ts";
import { readLease } from "../../src/agent/lease/store.ts";
import { ownGuestIn, setOwnPower, wipeOwnGuest } from "../../src/agent/own/guest.ts";
import { viewOwnGuest } from "../../src/agent/own/show.ts";
import { Crash, type CrashPoint, createCrashPoint } from "./crash.ts";
import { createRig } from "./harness.ts";
import { begun, SIZE } from "./own.ts";

const ROUNDS_MAX = 12;

test("an agent alone that is killed at any boundary of a guest's life ends with one guest, then none", async () => {
  const whole = await liveThrough(Number.POSITIVE_INFINITY);
  expect(whole).toBeGreaterThan(20);
  for (let at = 1; at <= whole; at++) await liveThrough(at);
});

/** Started, off, on and wiped, with the agent killed once; its owner asks again after a crash. */
async function liveThrough(at: number): Promise<number> {
  const rig = createRig();
  const point = createCrashPoint(at);
  let agent = await startGuarded(rig, point);
  cutPartition(agent, "p1", { size: SIZE });
  const { leaseId } = await begun(agent, "p1");
  const until = async (wanted: string) => {
    for (let i = 0; i < ROUNDS_MAX; i++) {
      rig.clock.pass(1_000);
      if (await dies(() => rig.round(agent), point)) agent = await rig.startAlone();
      const row = readLease(agent.db, leaseId);
      if (row !== null && viewOwnGuest(agent, row).state === wanted) return;
    }
    throw new Error(`killed at boundary ${at}, it never was ${wanted}`);
  };
  await until("running");
  expect(rig.driver.guests.size, `killed at ${at}`).toBe(1);
  setOwnPower(agent, "p1", "off");
  await until("off");
  setOwnPower(agent, "p1", "on");
  await until("running");
  expect(
    rig.driver.calls.filter((call) => call.startsWith("wipe")),
    `killed at ${at}`,
  ).toEqual([]);
  wipeOwnGuest(agent, "p1");
  await until("wiped");
  expect(ownGuestIn(agent, "p1")).toMatchObject({ code: "no-own-guest" });
  expect(rig.driver.guests.size, `killed at ${at}`).toBe(0);
  agent.db.close();
  return point.crossed();
}

async function startGuarded(
  rig: ReturnType<typeof createRig>,
  point: CrashPoint,
): Promise<AgentContext> {
  try {
    return await rig.startAlone({ driver: point.driver(rig.driver), onOpen: point.attach });
  } catch (error) {
    if (!(error instanceof Crash)) throw error;
    return rig.startAlone();
  }
}

async function dies(work: () => Promise<void>, point: CrashPoint): Promise<boolean> {
  const wasDead = point.isDead();
  try {
    await work();
  } catch (error) {
    if (!point.isDead() || wasDead) throw error;
  }
  return point.isDead() && !wasDead;
}
