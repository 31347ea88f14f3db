import { expect, test } from "vitest";
import { billOnDemand, capacityOnce } from "../../src/agent/capacity/once.ts";
import type { AgentContext } from "../../src/agent/context.ts";
import { setOwnPower } from "../../src/agent/own/guest.ts";
import {
  actsOf,
  CORE,
  createProvider,
  enabled,
  meteredOf,
  returned,
  SECOND_NS,
  STANDBY,
  serveRounds,
} from "./capacity.ts";
import { createCrashPoint } from "./crash.ts";
import { createRig } from "./harness.ts";
import { begun, cut } from "./own.ts";
import { booksOf, CUSTOMER } from "./provider-books.ts";

/** A host without a server whose guest has a second core, on for half a minute. */
async function world() {
  const rig = createRig(STANDBY);
  const provider = createProvider();
  const agent = await rig.startAlone();
  provider.pin(agent);
  cut(agent, "p1");
  const { leaseId } = await begun(agent, "p1");
  await rig.rounds(agent, 2, 1_000);
  const code = provider.code(agent, { customer: CUSTOMER });
  await enabled(agent, { code, partition: "p1" });
  await serveRounds(rig, agent, 3, 10_000);
  return { rig, provider, agent, code, guestId: leaseId };
}

/** What was told of the timer: since when it stood still and why, and when it ran again. */
const pausesOf = (agent: AgentContext) =>
  actsOf(agent).flatMap((act): (string | readonly string[])[] => {
    if (act.kind === "service-paused") return [[act.reason, act.from.at.slice(14, 19)]];
    return act.kind === "service-resumed" ? ["resumed"] : [];
  });

test.each([
  ["guest-powered-off", "its guest switches itself off"],
  ["guest-crashed", "its guest crashes"],
  ["process-died", "its machine dies"],
])("the acts say %s when %s, and no record counts until it runs again", async (reason) => {
  const { rig, provider, agent, code, guestId } = await world();
  rig.driver.end(guestId, reason);
  rig.clock.pass(10_000);
  await capacityOnce(agent);
  expect(pausesOf(agent)).toEqual([[reason, "00:32"]]);
  await serveRounds(rig, agent, 6, 10_000);
  await returned(agent, { partition: "p1" });
  const told = pausesOf(agent);
  if (reason === "guest-powered-off") expect(told).toHaveLength(1);
  else expect(told).toEqual([[reason, "00:32"], "resumed"]);
  const { differs, faults } = booksOf(agent, provider, [code]);
  expect([...differs, ...faults]).toEqual([]);
});

test("who has stopped a guest is told apart from a guest that stops", async () => {
  const { rig, agent } = await world();
  setOwnPower(agent, "p1", "off");
  await serveRounds(rig, agent, 4, 10_000);
  expect(pausesOf(agent)).toEqual([["stopped-by-owner", "00:32"]]);
  const metered = meteredOf(agent);
  await billOnDemand(agent, null);
  expect(meteredOf(agent)).toBe(BigInt(CORE) * 30n * SECOND_NS);
  expect(metered).toBeLessThanOrEqual(meteredOf(agent));
  setOwnPower(agent, "p1", "on");
  await serveRounds(rig, agent, 4, 10_000);
  expect(pausesOf(agent)).toEqual([["stopped-by-owner", "00:32"], "resumed"]);
});

test("a life of the guest that ended and began unseen is a pause all the same", async () => {
  const { rig, provider, agent, code, guestId } = await world();
  rig.driver.end(guestId, "process-died");
  rig.clock.pass(5_000);
  // The guest is booted again before anybody reads its meters.
  await rig.rounds(agent, 3, 1_000);
  await capacityOnce(agent);
  await serveRounds(rig, agent, 1, 10_000);
  expect(pausesOf(agent).at(-1)).toBe("resumed");
  expect(pausesOf(agent)[0]).toEqual([
    expect.stringMatching(/^(guest-restarted|not-in-guest)$/),
    "00:32",
  ]);
  await returned(agent, { partition: "p1" });
  expect(meteredOf(agent)).toBe(BigInt(CORE) * 40n * SECOND_NS);
  const { differs, faults } = booksOf(agent, provider, [code]);
  expect([...differs, ...faults]).toEqual([]);
});

test("an agent that dies at any boundary tells each pause once", async () => {
  const story = async (at: number) => {
    const { rig, agent: first, guestId } = await world();
    first.db.close();
    const crash = createCrashPoint(at);
    let agent = await rig.startAlone({ driver: crash.driver(rig.driver), onOpen: crash.attach });
    const orRestart = async (work: () => Promise<unknown>): Promise<void> => {
      try {
        return void (await work());
      } catch (error) {
        if (!crash.isDead()) throw error;
      }
      agent = await rig.startAlone();
      await work();
    };
    rig.driver.end(guestId, "guest-crashed");
    rig.clock.pass(10_000);
    await orRestart(() => capacityOnce(agent));
    for (let i = 0; i < 2; i++) {
      await orRestart(() => rig.rounds(agent, 1, 1_000));
      rig.clock.pass(10_000);
      await orRestart(() => capacityOnce(agent));
    }
    const crossed = crash.crossed();
    await serveRounds(rig, agent, 2, 1_000);
    return { told: pausesOf(agent), crossed };
  };
  const whole = await story(-1);
  expect(whole.told).toEqual([["guest-crashed", "00:32"], "resumed"]);
  expect(whole.crossed).toBeGreaterThan(10);
  for (let at = 3; at <= whole.crossed; at++) {
    const { told } = await story(at);
    expect(told, `at boundary ${at}`).toEqual(whole.told);
  }
}, 120_000);
