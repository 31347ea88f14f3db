import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readCode } from "../../src/agent/capacity/code-store.ts";
import { enable } from "../../src/agent/capacity/enable.ts";
import { capacityOnce } from "../../src/agent/capacity/once.ts";
import { listServices } from "../../src/agent/capacity/service-store.ts";
import { showCapacity } from "../../src/agent/capacity/show.ts";
import type { AgentContext } from "../../src/agent/context.ts";
import { type Untrusted, untrustProvider } from "../../src/agent/trust/untrust.ts";
import { CONSENT_NAMESPACE, consentStatement } from "../../src/enablement/capacity/consent.ts";
import { Refusal } from "../../src/refusal/refusal.ts";
import type { CodeId } from "../../src/unit/id.ts";
import {
  actsOf,
  CORE,
  createProvider,
  enabled,
  kindsOf,
  meteredOf,
  type Provider,
  SECOND_NS,
  STANDBY,
  serveRounds,
} from "./capacity.ts";
import { createCrashPoint } from "./crash.ts";
import { createRig, desireLease } from "./harness.ts";
import { begun, cut, SIZE } from "./own.ts";

/** A host without a server, with a guest of one core and one in the pool. */
async function world() {
  const rig = createRig(STANDBY);
  const provider = createProvider();
  const agent = await rig.startAlone();
  provider.pin(agent);
  cut(agent, "p1");
  const { leaseId } = await begun(agent, "p1");
  cut(agent, "p2", { size: { ...SIZE, cpuMilli: 500 }, cpuMode: "shared" });
  await begun(agent, "p2");
  await rig.rounds(agent, 2, 1_000);
  return { rig, provider, agent, spec: () => rig.driver.guests.get(leaseId)?.spec };
}

async function untrusted(agent: AgentContext, { providerId }: Provider): Promise<Untrusted> {
  const done = await untrustProvider(agent, providerId);
  if (done instanceof Refusal) throw done;
  return done;
}

test("an untrusted provider's capacity is returned and billed, and its codes enable nothing", async () => {
  const { rig, provider, agent, spec } = await world();
  const code = provider.code(agent);
  await enabled(agent, { code, partition: "p1" });
  await enabled(agent, { code: provider.code(agent), shared: true });
  await serveRounds(rig, agent, 3, 10_000);
  const done = await untrusted(agent, provider);
  expect(done).toMatchObject({ name: "vendor", kept: [] });
  expect(done.returned).toHaveLength(2);
  expect(listServices(agent.db)).toEqual([]);
  expect(spec()).toMatchObject({ size: { cpuMilli: 1000 }, cores: [0] });
  expect(kindsOf(agent).slice(6)).toEqual([
    "provider-untrusted",
    ...["service-returned", "time-to-bill termination"],
    ...["service-returned", "time-to-bill termination"],
  ]);
  expect(actsOf(agent).filter(({ kind }) => kind === "service-returned")).toMatchObject([
    { reason: "provider-untrusted" },
    { reason: "provider-untrusted" },
  ]);
  for (const wish of [
    { code, partition: "p1" },
    { code: provider.code(agent) },
    { partition: "p1" },
  ]) {
    expect(await enable(agent, wish)).toMatchObject({ code: "provider-untrusted" });
  }
  expect(showCapacity(agent)).toMatchObject({
    accounts: [{ isTrusted: false }, { isTrusted: false }],
    warnings: [expect.stringContaining("vendor is not trusted any more")],
  });
  const acts = actsOf(agent).length;
  expect(await untrusted(agent, provider)).toMatchObject({ returned: [], kept: [] });
  expect(actsOf(agent)).toHaveLength(acts);
});

test("trusted again, what is left of its codes is used, and each change of trust is an act", async () => {
  const { rig, provider, agent } = await world();
  const { codeId } = await enabled(agent, { code: provider.code(agent), partition: "p1" });
  await serveRounds(rig, agent, 3, 10_000);
  await untrusted(agent, provider);
  provider.pin(agent);
  provider.pin(agent);
  await enabled(agent, { partition: "p1" });
  await serveRounds(rig, agent, 2, 10_000);
  await untrusted(agent, provider);
  expect(meteredOf(agent)).toBe(BigInt(CORE) * 50n * SECOND_NS);
  expect(readCode(agent.db, codeId as CodeId)?.debited).toBe(BigInt(CORE) * 50n * SECOND_NS);
  const { providerId, key } = provider;
  expect(actsOf(agent).filter(({ kind }) => kind.startsWith("provider-"))).toEqual([
    { kind: "provider-trusted", providerId, kids: [key.kid] },
    { kind: "provider-untrusted", providerId },
    { kind: "provider-trusted", providerId, kids: [key.kid] },
    { kind: "provider-untrusted", providerId },
  ]);
});

test("whoever starts the agent with an untrusted provider's card has not trusted it again", async () => {
  const { rig, provider, agent } = await world();
  await untrusted(agent, provider);
  agent.db.close();
  const again = await rig.startAlone({ options: { providerCardJws: provider.cardJws } });
  expect(await enable(again, { code: provider.code(again) })).toMatchObject({
    code: "provider-untrusted",
  });
});

test("another provider's capacity stays, and is what is enabled from", async () => {
  const { rig, provider, agent } = await world();
  const other = createProvider();
  other.pin(agent);
  const validity = { start: "2027-01-31T00:00:00Z", end: "2027-02-10T00:00:00Z" };
  await enabled(agent, { code: provider.code(agent, { validity }), partition: "p1" });
  await enabled(agent, { code: other.code(agent), partition: "p1" });
  await serveRounds(rig, agent, 1, 10_000);
  await untrusted(agent, provider);
  expect(listServices(agent.db)).toMatchObject([{ providerId: other.providerId }]);
  await enabled(agent, { code: other.code(agent) });
  // The untrusted one's code would expire first.
  const { service } = await enabled(agent, { partition: "p1" });
  expect(service).toMatchObject({ providerId: other.providerId });
  const stranger = createProvider();
  expect(await untrustProvider(agent, stranger.providerId)).toMatchObject({ code: "not-found" });
});

test("a leased partition keeps what it has until its lease ends", async () => {
  const rig = createRig(STANDBY);
  const provider = createProvider();
  const agent = await rig.start();
  rig.server.state.provider = provider;
  provider.pin(agent);
  execFileSync("ssh-keygen", ["-qt", "ed25519", "-N", "", "-C", "", "-f", join(rig.folder, "id")]);
  const clientKey = readFileSync(join(rig.folder, "id.pub"), "utf8").trim();
  const { leaseId } = desireLease(rig.server, rig.server.grantOf({ seconds: 600, clientKey }));
  await rig.rounds(agent, 2, 1_000);
  const code = provider.codeFor(agent.host.hostId);
  const wish = { leaseId, codeId: code.jti, resource: "cpu", quantity: CORE } as const;
  writeFileSync(join(rig.folder, "wish"), consentStatement(wish));
  const sign = ["-q", "-Y", "sign", "-n", CONSENT_NAMESPACE, "-f", "id", "wish"];
  execFileSync("ssh-keygen", sign, { cwd: rig.folder, stdio: "ignore" });
  const consent = readFileSync(join(rig.folder, "wish.sig"), "utf8");
  await enabled(agent, { code: provider.sign(code), partition: "p1", consent });
  await serveRounds(rig, agent, 5, 10_000);
  expect(await untrusted(agent, provider)).toMatchObject({
    ...{ returned: [], kept: [{ partition: "p1", state: "in-service" }] },
  });
  await serveRounds(rig, agent, 5, 10_000);
  expect(rig.driver.guests.get(leaseId)?.spec.size.cpuMilli).toBe(2000);
  await serveRounds(rig, agent, 60, 10_000);
  expect(listServices(agent.db)).toEqual([]);
  expect(kindsOf(agent)).toContain("time-to-bill lease-end");
  expect(kindsOf(agent)).not.toContain("time-to-bill termination");
});

test("an agent that dies at any boundary of it ends with nothing of that provider in service", async () => {
  const story = async (at: number) => {
    const { rig, provider, agent: first, spec } = await world();
    await enabled(first, { code: provider.code(first), partition: "p1" });
    await enabled(first, { code: provider.code(first), shared: true });
    await serveRounds(rig, first, 2, 10_000);
    first.db.close();
    const crash = createCrashPoint(at);
    let agent = await rig.startAlone({ driver: crash.driver(rig.driver), onOpen: crash.attach });
    try {
      await untrusted(agent, provider);
    } catch (error) {
      if (!crash.isDead()) throw error;
      agent = await rig.startAlone();
      await capacityOnce(agent);
      // What was not recorded was not done: the owner types it again.
      await untrusted(agent, provider);
    }
    return { agent, spec, crossed: crash.crossed() };
  };
  const whole = await story(-1);
  expect(whole.crossed).toBeGreaterThan(5);
  for (let at = 3; at <= whole.crossed; at++) {
    const { agent, spec } = await story(at);
    expect(listServices(agent.db), `at boundary ${at}`).toEqual([]);
    expect(spec()?.size.cpuMilli, `at boundary ${at}`).toBe(1000);
    // One time to bill may be for both services, when both end in one pass.
    const done = (one: AgentContext) => [...new Set(kindsOf(one))];
    expect(done(agent), `at boundary ${at}`).toEqual(done(whole.agent));
    const returnedOf = kindsOf(agent).filter((kind) => kind === "service-returned");
    expect(returnedOf, `at boundary ${at}`).toHaveLength(2);
    expect(meteredOf(agent), `at boundary ${at}`).toBe(meteredOf(whole.agent));
  }
}, 60_000);
