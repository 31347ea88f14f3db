import { expect, test } from "vitest";
import { readCode } from "../../src/agent/capacity/code-store.ts";
import { enable } from "../../src/agent/capacity/enable.ts";
import { capacityOnce } from "../../src/agent/capacity/once.ts";
import { listServices } from "../../src/agent/capacity/service-store.ts";
import type { CodeId } from "../../src/unit/id.ts";
import {
  actsOf,
  createProvider,
  enabled,
  kindsOf,
  meteredOf,
  recordsOf,
  returned,
  STANDBY,
  serveRounds,
} from "./capacity.ts";
import { coreSeconds, dedicatedWorld } from "./dedicated.ts";
import { createRig } from "./harness.ts";
import { cut, SIZE } from "./own.ts";

test("used-up resource-time under reclaim comes back after its grace, and what was over is overdraft", async () => {
  const { rig, provider, agent, spec } = await dedicatedWorld();
  const change = {
    resourceTime: coreSeconds(20).toString(),
    exhaustion: { policy: "reclaim", graceSeconds: 30, warnSeconds: 60 } as const,
  };
  await enabled(agent, { code: provider.code(agent, change), partition: "p1" });
  await serveRounds(rig, agent, 4, 10_000);
  expect(listServices(agent.db)).toMatchObject([{ state: "in-service" }]);
  await serveRounds(rig, agent, 3, 10_000);
  expect(listServices(agent.db)).toEqual([]);
  // What it was granted of the base, and nothing less.
  expect(spec()).toMatchObject({ size: { cpuMilli: 1000 }, cores: [0] });
  expect(kindsOf(agent).filter((kind) => kind === "time-to-bill exhausted")).toHaveLength(2);
  const over = recordsOf(agent).map(({ record }) => BigInt(record.capacity?.overdraft ?? 0));
  expect(over.reduce((a, b) => a + b, 0n)).toBe(meteredOf(agent) - coreSeconds(20));
  expect(meteredOf(agent)).toBeGreaterThan(coreSeconds(20));
});

test("what had to be given back and was not has its own state, and lets nothing new begin", async () => {
  const { rig, provider, agent } = await dedicatedWorld();
  const validity = { start: "2027-01-31T00:00:00Z", end: "2027-01-31T08:01:00Z" };
  await enabled(agent, {
    code: provider.code(agent, { validity, returnMeans: ["ask"] }),
    partition: "p1",
  });
  rig.clock.pass(60_000);
  rig.driver.failNext("resize", "resize-refused");
  await capacityOnce(agent);
  expect(listServices(agent.db)).toMatchObject([{ state: "unreturned" }]);
  const other = createProvider();
  other.pin(agent);
  const refused = await enable(agent, { code: other.code(agent), partition: "p1" });
  expect(refused).toMatchObject({ code: "capacity-unreturned" });
  expect(String(refused)).toContain("return it");
  await serveRounds(rig, agent, 2, 10_000);
  const states = recordsOf(agent).map(({ record }) => record.capacity?.state);
  expect(states[0]).toBe("in-service");
  expect(actsOf(agent)).toContainEqual(expect.objectContaining({ kind: "unreturned" }));
});

test("what is given back early stays in the account, to the nanosecond", async () => {
  const { rig, provider, agent } = await dedicatedWorld();
  const { codeId } = await enabled(agent, { code: provider.code(agent), partition: "p1" });
  await serveRounds(rig, agent, 1, 10_500);
  await returned(agent, { partition: "p1" });
  await serveRounds(rig, agent, 3, 600_000);
  const debited = () => readCode(agent.db, codeId as CodeId)?.debited;
  expect(debited()).toBe(coreSeconds(21) / 2n);
  await enabled(agent, { partition: "p1" });
  await serveRounds(rig, agent, 1, 10_500);
  await returned(agent, { partition: "p1" });
  expect(debited()).toBe(coreSeconds(21));
});

test("a partition that leaves the pool is billed until then, and its meter ends", async () => {
  const rig = createRig(STANDBY);
  const provider = createProvider();
  const agent = await rig.startAlone();
  provider.pin(agent);
  const half = { ...SIZE, cpuMilli: 500 };
  cut(agent, "p2", { size: half, cpuMode: "shared" });
  await enabled(agent, { code: provider.code(agent), shared: true });
  await serveRounds(rig, agent, 2, 10_000);
  cut(agent, "p2", { cpuMode: "dedicated" });
  await capacityOnce(agent);
  expect(kindsOf(agent).at(-1)).toBe("time-to-bill mode-change");
  expect(recordsOf(agent).at(-1)?.record).toMatchObject({ final: true, cpuMode: "shared" });
});
