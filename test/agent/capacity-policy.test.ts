import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { enable } from "../../src/agent/capacity/enable.ts";
import { capacityOnce } from "../../src/agent/capacity/once.ts";
import { listServices } from "../../src/agent/capacity/service-store.ts";
import { showCapacity } from "../../src/agent/capacity/show.ts";
import type { AgentContext } from "../../src/agent/context.ts";
import type { CapacityCode } from "../../src/enablement/capacity/code.ts";
import { CONSENT_NAMESPACE, consentStatement } from "../../src/enablement/capacity/consent.ts";
import {
  actsOf,
  CORE,
  createProvider,
  enabled,
  kindsOf,
  meteredOf,
  recordsOf,
  SECOND_NS,
  STANDBY,
  serveRounds,
} from "./capacity.ts";
import { createRig, desireLease } from "./harness.ts";
import { begun, cut, SIZE } from "./own.ts";

/** What the codes say is to happen when their resource-time is used up. */
const RECLAIM = { policy: "reclaim", graceSeconds: 60, warnSeconds: 600 } as const;
const coreSeconds = (seconds: number) => BigInt(CORE) * BigInt(seconds) * SECOND_NS;
const lasting = (seconds: number, change: Partial<CapacityCode> = {}) => ({
  ...{ resourceTime: coreSeconds(seconds).toString(), exhaustion: RECLAIM },
  ...change,
});

/** A host without a server, whose guest of one core must have half of one at the least. */
async function world() {
  const rig = createRig(STANDBY);
  const provider = createProvider();
  const agent = await rig.startAlone();
  provider.pin(agent);
  cut(agent, "p1", { min: { ...SIZE, cpuMilli: 500 } });
  const { leaseId } = await begun(agent, "p1");
  await rig.rounds(agent, 2, 1_000);
  const spec = () => rig.driver.guests.get(leaseId)?.spec;
  return { rig, provider, agent, guestId: leaseId, spec };
}

const overdraftOf = (agent: AgentContext) =>
  recordsOf(agent).reduce((sum, { record }) => sum + BigInt(record.capacity?.overdraft ?? 0), 0n);

test("stop-new: a warning from the burn rate before the end, and then overdraft without end", async () => {
  const { rig, provider, agent, spec } = await world();
  const exhaustion = { policy: "stop-new", graceSeconds: 0, warnSeconds: 100 } as const;
  await enabled(agent, {
    code: provider.code(agent, lasting(300, { exhaustion })),
    partition: "p1",
  });
  await serveRounds(rig, agent, 12, 15_000);
  expect(showCapacity(agent).warnings).toEqual([]);
  await serveRounds(rig, agent, 4, 15_000);
  expect(showCapacity(agent).warnings).toEqual([
    "cpu: used up in 60 s at the present rate; request another code",
  ]);
  await serveRounds(rig, agent, 5, 15_000);
  expect(showCapacity(agent).warnings).toEqual([
    "cpu: the resource-time is used up; request another code",
  ]);
  expect(await enable(agent, { partition: "p1", quantity: CORE })).toMatchObject({
    code: "capacity-none",
  });
  await serveRounds(rig, agent, 40, 60_000);
  expect(listServices(agent.db)).toMatchObject([{ state: "in-service" }]);
  expect(spec()?.size.cpuMilli).toBe(2000);
  expect(overdraftOf(agent)).toBe(coreSeconds(2415));
  expect(kindsOf(agent).filter((kind) => kind.includes("ed-up"))).toHaveLength(1);
});

test("reclaim: not before its grace is over, down to what is the partition's own, and the overdraft apart", async () => {
  const { rig, provider, agent, spec } = await world();
  await enabled(agent, { code: provider.code(agent, lasting(25)), partition: "p1" });
  await serveRounds(rig, agent, 3, 10_000);
  expect(kindsOf(agent)).toContain("resource-time-used-up");
  // Used up after 25 s; seen at the third reading, after 30.
  await serveRounds(rig, agent, 5, 10_000);
  rig.clock.pass(9_000);
  await capacityOnce(agent);
  expect(listServices(agent.db)).toMatchObject([{ state: "in-service", returnReason: null }]);
  expect(spec()?.size.cpuMilli).toBe(2000);
  rig.clock.pass(1_000);
  await capacityOnce(agent);
  expect(listServices(agent.db)).toEqual([]);
  expect(spec()).toMatchObject({ size: { cpuMilli: 1000 }, cores: [0] });
  expect(actsOf(agent)).toContainEqual(
    expect.objectContaining({ kind: "service-returned", reason: "exhausted" }),
  );
  expect(meteredOf(agent)).toBe(coreSeconds(90));
  expect(overdraftOf(agent)).toBe(coreSeconds(65));
  expect(kindsOf(agent).at(-1)).toBe("time-to-bill exhausted");
  await serveRounds(rig, agent, 3, 10_000);
  expect(meteredOf(agent)).toBe(coreSeconds(90));
});

test("a code that comes within the grace keeps what is in service", async () => {
  const { rig, provider, agent } = await world();
  await enabled(agent, { code: provider.code(agent, lasting(25)), partition: "p1" });
  await serveRounds(rig, agent, 6, 10_000);
  await enabled(agent, { code: provider.code(agent, lasting(200)) });
  // What was used before it came is not drawn from it.
  await serveRounds(rig, agent, 10, 10_000);
  expect(overdraftOf(agent)).toBe(coreSeconds(60 - 25));
  expect(listServices(agent.db)).toMatchObject([{ state: "in-service" }]);
  // Its own end has its own grace.
  await serveRounds(rig, agent, 15, 10_000);
  expect(listServices(agent.db)).toMatchObject([{ state: "in-service" }]);
  await serveRounds(rig, agent, 8, 10_000);
  expect(listServices(agent.db)).toEqual([]);
});

test("what is used up of one resource says nothing of another", async () => {
  const { rig, provider, agent, spec } = await world();
  const memory = { resource: "memory", quantity: 2 ** 28 } as const;
  const memoryTime = (BigInt(2 ** 28) * 100n * SECOND_NS).toString();
  await enabled(agent, { code: provider.code(agent, lasting(25)), partition: "p1" });
  const code = provider.code(agent, { ...memory, resourceTime: memoryTime, exhaustion: RECLAIM });
  await enabled(agent, { code, partition: "p1" });
  await serveRounds(rig, agent, 11, 10_000);
  // The memory is used up now; its minute begins, whatever the cores' was.
  expect(listServices(agent.db)).toMatchObject([{ resource: "memory", state: "in-service" }]);
  expect(spec()?.size).toMatchObject({ cpuMilli: 1000, memoryBytes: SIZE.memoryBytes + 2 ** 28 });
  await serveRounds(rig, agent, 4, 10_000);
  expect(listServices(agent.db)).toHaveLength(1);
  await serveRounds(rig, agent, 1, 10_000);
  expect(listServices(agent.db)).toEqual([]);
  expect(kindsOf(agent).filter((kind) => kind === "resource-time-used-up")).toHaveLength(2);
});

test("nothing is reclaimed from a leased partition, before its lease ends", async () => {
  const rig = createRig(STANDBY);
  const provider = createProvider();
  const agent = await rig.start();
  rig.server.state.provider = provider;
  provider.pin(agent);
  execFileSync("ssh-keygen", ["-qt", "ed25519", "-N", "", "-C", "", "-f", join(rig.folder, "id")]);
  const clientKey = readFileSync(join(rig.folder, "id.pub"), "utf8").trim();
  const { leaseId } = desireLease(rig.server, rig.server.grantOf({ seconds: 600, clientKey }));
  await rig.rounds(agent, 2, 1_000);
  const code = provider.codeFor(agent.host.hostId, lasting(600));
  const wish = { leaseId, codeId: code.jti, resource: "cpu", quantity: CORE } as const;
  writeFileSync(join(rig.folder, "wish"), consentStatement(wish));
  execFileSync("ssh-keygen", ["-q", "-Y", "sign", "-n", CONSENT_NAMESPACE, "-f", "id", "wish"], {
    cwd: rig.folder,
    stdio: "ignore",
  });
  const consent = readFileSync(join(rig.folder, "wish.sig"), "utf8");
  await enabled(agent, { code: provider.sign(code), partition: "p1", consent });
  await serveRounds(rig, agent, 20, 10_000);
  expect(kindsOf(agent)).not.toContain("resource-time-used-up");
  expect(listServices(agent.db)).toMatchObject([{ state: "in-service", returnReason: null }]);
  expect(rig.driver.guests.get(leaseId)?.spec.size.cpuMilli).toBe(2000);
  await serveRounds(rig, agent, 45, 10_000);
  expect(listServices(agent.db)).toEqual([]);
  expect(kindsOf(agent)).toContain("time-to-bill lease-end");
});
