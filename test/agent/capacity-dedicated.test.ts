import { expect, test } from "vitest";
import { readCode } from "../../src/agent/capacity/code-store.ts";
import { enable } from "../../src/agent/capacity/enable.ts";
import { giveBack } from "../../src/agent/capacity/give-back.ts";
import { capacityOnce } from "../../src/agent/capacity/once.ts";
import { listServices } from "../../src/agent/capacity/service-store.ts";
import type { AgentContext } from "../../src/agent/context.ts";
import { setOwnPower } from "../../src/agent/own/guest.ts";
import { chainOrigin, checkChain } from "../../src/meter/chain.ts";
import type { CodeId } from "../../src/unit/id.ts";
import {
  actsOf,
  CORE,
  enabled,
  kindsOf,
  meteredOf,
  recordsOf,
  returned,
  SECOND_NS,
  serveRounds,
} from "./capacity.ts";
import { coreSeconds, dedicatedWorld } from "./dedicated.ts";
import type { Rig } from "./harness.ts";

test("standby is enabled by a code, and not before; then the timer runs until it is returned", async () => {
  const { rig, provider, agent, spec } = await dedicatedWorld();
  expect(await enable(agent, { partition: "p1" })).toMatchObject({ code: "capacity-none" });
  expect(spec()).toMatchObject({ size: { cpuMilli: 1000 }, cores: [0] });

  const code = provider.code(agent);
  const { service, codeId } = await enabled(agent, { code, partition: "p1" });
  expect(service).toMatchObject({ state: "in-service", cores: [2], mode: "dedicated" });
  expect(spec()).toMatchObject({ size: { cpuMilli: 2000 }, cores: [0, 2] });
  await serveRounds(rig, agent, 12, 10_000);
  rig.clock.pass(3_500);
  await returned(agent, { service: service?.serviceId ?? "" });
  expect(spec()).toMatchObject({ size: { cpuMilli: 1000 }, cores: [0] });
  await serveRounds(rig, agent, 3, 10_000);

  const expected = coreSeconds(123) + coreSeconds(1) / 2n;
  expect(meteredOf(agent)).toBe(expected);
  expect(codeId && readCode(agent.db, codeId as CodeId)?.debited).toBe(expected);
  expect(checkChain(chainOrigin(code), recordsOf(agent))).toEqual({ ok: true });
  expect(recordsOf(agent).at(-1)?.record).toMatchObject({
    final: true,
    size: { cpuMilli: 1000, memoryBytes: 0 },
  });
  expect(kindsOf(agent)).toEqual([
    ...["code-accepted", "service-begun", "chain-begun", "service-returned"],
    "time-to-bill returned",
  ]);
});

test("the same code again is already applied, and adds nothing", async () => {
  const { provider, agent } = await dedicatedWorld();
  const code = provider.code(agent);
  await enabled(agent, { code, partition: "p1" });
  const acts = actsOf(agent).length;
  const pasted = `\n  ${code.slice(0, 70)}\n  ${code.slice(70)}\n`;
  expect(await enabled(agent, { code: pasted, partition: "p1" })).toMatchObject({
    isAlreadyApplied: true,
  });
  expect(actsOf(agent)).toHaveLength(acts);
  expect(listServices(agent.db)).toHaveLength(1);
});

test("the timer pauses while no guest runs, and a guest that boots has it again", async () => {
  const { rig, provider, agent, guestId, spec } = await dedicatedWorld();
  await enabled(agent, { code: provider.code(agent), partition: "p1" });
  await serveRounds(rig, agent, 3, 10_000);
  expect(await meteredNow(rig, agent)).toBe(coreSeconds(30));
  rig.driver.end(guestId, "guest-powered-off");
  await capacityOnce(agent);
  await serveRounds(rig, agent, 1, 60_000);
  const metered = await meteredNow(rig, agent);
  const lives = rig.driver.guests.get(guestId)?.observation.processId;
  setOwnPower(agent, "p1", "on");
  await serveRounds(rig, agent, 4, 10_000);
  expect(rig.driver.guests.get(guestId)?.observation.processId).not.toBe(lives);
  expect(spec()?.size.cpuMilli).toBe(2000);
  expect(await meteredNow(rig, agent)).toBeLessThanOrEqual(metered + coreSeconds(40));
  await returned(agent, { partition: "p1" });
  expect(meteredOf(agent)).toBeLessThanOrEqual(coreSeconds(30 + 40));
  expect(meteredOf(agent)).toBeGreaterThanOrEqual(coreSeconds(30));
});

async function meteredNow(_rig: Rig, agent: AgentContext): Promise<bigint> {
  const { billOnDemand } = await import("../../src/agent/capacity/once.ts");
  await billOnDemand(agent, null);
  return meteredOf(agent);
}

test("an agent that was away proves the time between by its readings", async () => {
  const { rig, provider, agent } = await dedicatedWorld();
  await enabled(agent, { code: provider.code(agent), partition: "p1" });
  await serveRounds(rig, agent, 1, 10_000);
  agent.db.close();
  rig.clock.pass(600_000);
  rig.clock.stepWall(-86_400_000);
  const again = await rig.startAlone();
  await serveRounds(rig, again, 1, 10_000);
  await returned(again, { partition: "p1" });
  expect(meteredOf(again)).toBe(coreSeconds(620));
  expect(recordsOf(again).some(({ record }) => record.gap)).toBe(false);
});

test("the time between two boots of the host is not charged", async () => {
  const { rig, provider, agent, guestId } = await dedicatedWorld();
  await enabled(agent, { code: provider.code(agent), partition: "p1" });
  await serveRounds(rig, agent, 2, 10_000);
  agent.db.close();
  rig.driver.end(guestId, "process-died");
  rig.clock.reboot();
  rig.clock.stepWall(300_000);
  const again = await rig.startAlone();
  await serveRounds(rig, again, 3, 10_000);
  await returned(again, { partition: "p1" });
  expect(meteredOf(again)).toBeLessThanOrEqual(coreSeconds(20 + 30));
  expect(meteredOf(again)).toBeGreaterThanOrEqual(coreSeconds(20));
  const records = recordsOf(again);
  expect(records.filter(({ record }) => record.from.bootId !== record.to.bootId)).toMatchObject([
    { record: { deliveredNs: "0", gap: true } },
  ]);
});

test("a guest that takes no notice gets nothing, and nothing is begun", async () => {
  const { rig, provider, agent } = await dedicatedWorld();
  rig.driver.failNext("resize", "resize-refused");
  const wish = { code: provider.code(agent), partition: "p1" };
  expect(await enable(agent, wish)).toMatchObject({ code: "capacity-not-taken" });
  expect(listServices(agent.db)).toEqual([]);
  expect(kindsOf(agent)).toEqual(["code-accepted"]);
  expect((await enabled(agent, wish)).service).toMatchObject({ state: "in-service" });
});

test("a guest that does not give back goes on being metered, without a hole", async () => {
  const { rig, provider, agent } = await dedicatedWorld();
  await enabled(agent, { code: provider.code(agent), partition: "p1" });
  await serveRounds(rig, agent, 1, 10_000);
  rig.driver.failNext("resize", "resize-refused");
  expect(await giveBack(agent, { partition: "p1" })).toMatchObject({
    code: "capacity-not-given-back",
  });
  await serveRounds(rig, agent, 1, 10_000);
  await returned(agent, { partition: "p1" });
  expect(meteredOf(agent)).toBe(coreSeconds(20));
});

test("no more is in service than the codes enable, nor than is in standby", async () => {
  const { provider, agent } = await dedicatedWorld();
  const code = provider.code(agent);
  await enabled(agent, { code, partition: "p1" });
  const more = { partition: "p1", quantity: CORE };
  expect(await enable(agent, more)).toMatchObject({ code: "capacity-beyond-codes" });
  await enabled(agent, { code: provider.code(agent), partition: "p1" });
  await enabled(agent, { code: provider.code(agent) });
  expect(await enable(agent, more)).toMatchObject({ code: "standby-taken" });
  const memory = { resource: "memory" as const, quantity: 2 ** 30 };
  const { service } = await enabled(agent, { code: provider.code(agent, memory), partition: "p1" });
  expect(service).toMatchObject({ resource: "memory", cores: [] });
});

test("use beyond the resource-time is overdraft; the end of the code's validity is unreturned", async () => {
  const { rig, provider, agent, spec } = await dedicatedWorld();
  const change = {
    resourceTime: coreSeconds(25).toString(),
    validity: { start: "2027-01-31T00:00:00Z", end: "2027-01-31T08:01:00Z" },
  };
  await enabled(agent, { code: provider.code(agent, change), partition: "p1" });
  await serveRounds(rig, agent, 4, 10_000);
  expect(kindsOf(agent).slice(3)).toEqual(["resource-time-used-up", "time-to-bill exhausted"]);
  expect(await enable(agent, { partition: "p1", quantity: CORE })).toMatchObject({
    code: "capacity-none",
  });
  await serveRounds(rig, agent, 3, 10_000);
  expect(spec()?.size.cpuMilli).toBe(1000);
  expect(kindsOf(agent).slice(5)).toEqual([
    "unreturned",
    "service-returned",
    "time-to-bill termination",
  ]);
  const states = recordsOf(agent).map(({ record: { capacity, deliveredNs } }) => [
    ...[capacity?.state, Number(BigInt(deliveredNs) / SECOND_NS), capacity?.overdraft !== "0"],
  ]);
  expect(states.at(-1)?.[0]).toBe("unreturned");
  const overdraft = recordsOf(agent).reduce(
    (s, { record }) => s + BigInt(record.capacity?.overdraft ?? 0),
    0n,
  );
  expect(meteredOf(agent) - overdraft).toBe(coreSeconds(25));
});
