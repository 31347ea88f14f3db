import { describe, expect, test } from "vitest";
import { removeCut } from "../../src/agent/allocation/cut.ts";
import { enable } from "../../src/agent/capacity/enable.ts";
import { giveBack } from "../../src/agent/capacity/give-back.ts";
import { capacityOnce } from "../../src/agent/capacity/once.ts";
import { listServices } from "../../src/agent/capacity/service-store.ts";
import type { AgentContext } from "../../src/agent/context.ts";
import { wipeOwnGuest } from "../../src/agent/own/guest.ts";
import { RETURN_MEANS, type ReturnMeans } from "../../src/enablement/capacity/terms.ts";
import { chainOrigin, checkChain } from "../../src/meter/chain.ts";
import {
  actsOf,
  CORE,
  createProvider,
  enabled,
  kindsOf,
  meteredOf,
  recordsOf,
  returned,
  SECOND_NS,
  STANDBY,
  serveRounds,
} from "./capacity.ts";
import { createRig, type Rig } from "./harness.ts";
import { begun, cut, SIZE } from "./own.ts";

/** How capacity comes back that a guest does not give: by what its code says, in that order. */
const MINUTE = { start: "2027-01-31T00:00:00Z", end: "2027-01-31T08:01:00Z" };
const coreSeconds = (seconds: number) => BigInt(CORE) * BigInt(seconds) * SECOND_NS;

async function world(mode: "dedicated" | "shared") {
  const rig = createRig(STANDBY);
  const provider = createProvider();
  const agent = await rig.startAlone();
  provider.pin(agent);
  const isShared = mode === "shared";
  const size = { ...SIZE, cpuMilli: isShared ? 500 : 1000 };
  cut(agent, "p1", { size, cpuMode: mode, max: { ...SIZE, cpuMilli: 2000 } });
  const { leaseId } = await begun(agent, "p1");
  await rig.rounds(agent, 2, 1_000);
  const spec = () => rig.driver.guests.get(leaseId)?.spec;
  const place = isShared ? { shared: true as const } : { partition: "p1" };
  return { rig, provider, agent, guestId: leaseId, spec, place, size };
}

/** How often the guest was asked to give something up or to take something. */
const resizes = (rig: Rig) => rig.driver.calls.filter((call) => call.startsWith("resize")).length;
/** It never gives anything back. */
const stubborn = (rig: Rig) => rig.driver.failNext("resize", "resize-refused", 1_000);
const actOf = (agent: AgentContext, kind: string) =>
  actsOf(agent).filter((act) => act.kind === kind);

describe.each(["dedicated", "shared"] as const)("%s", (mode) => {
  test("that its guest does not give back is asked for once more, and then its cores are taken", async () => {
    const { rig, provider, agent, guestId, spec, place } = await world(mode);
    await enabled(agent, { code: provider.code(agent, { validity: MINUTE }), ...place });
    await serveRounds(rig, agent, 5, 10_000);
    stubborn(rig);
    const before = resizes(rig);
    await serveRounds(rig, agent, 4, 10_000);
    expect(resizes(rig) - before).toBe(1);
    expect(listServices(agent.db)).toEqual([]);
    expect(actOf(agent, "unreturned").map((act) => "means" in act && act.means)).toEqual([
      ...[null, "ask"],
    ]);
    expect(actOf(agent, "service-returned")).toMatchObject([{ means: "repin" }]);
    // The core that was enabled is free, whatever the guest goes on believing.
    expect(spec()?.cores).toEqual(mode === "shared" ? [0, 1] : [0]);
    const call = mode === "shared" ? "moveToCores" : "shareCores";
    expect(rig.driver.calls).toContain(`${call} ${guestId}`);
    expect(kindsOf(agent).at(-1)).toBe("time-to-bill termination");
  });

  test("comes back with the guest's next life where the code says nothing else", async () => {
    const { rig, provider, agent, guestId, spec, place, size } = await world(mode);
    const change = { validity: MINUTE, returnMeans: ["next-boot"] satisfies ReturnMeans[] };
    const code = provider.code(agent, change);
    await enabled(agent, { code, ...place });
    await serveRounds(rig, agent, 5, 10_000);
    const before = resizes(rig);
    await serveRounds(rig, agent, 4, 10_000);
    expect(resizes(rig)).toBe(before);
    expect(listServices(agent.db)).toMatchObject([{ state: "unreturned", means: "next-boot" }]);
    expect(spec()?.size.cpuMilli).toBe(2000);
    rig.driver.end(guestId, "process-died");
    await serveRounds(rig, agent, 3, 10_000);
    expect(spec()?.size.cpuMilli).toBe(size.cpuMilli);
    expect(listServices(agent.db)).toEqual([]);
    expect(actOf(agent, "service-returned")).toMatchObject([{ means: "next-boot" }]);
    for (const chainId of new Set(recordsOf(agent).map(({ record }) => record.chainId))) {
      const records = recordsOf(agent).filter(({ record }) => record.chainId === chainId);
      expect(checkChain(chainOrigin(code), records)).toEqual({ ok: true });
    }
  });
});

test.each([
  [["ask", "repin", "next-boot"]],
  [["repin", "ask", "next-boot"]],
  [["next-boot", "ask", "repin"]],
  [["repin"]],
  [["ask"]],
] as [ReturnMeans[]][])("the means are tried in the code's order: %s", async (returnMeans) => {
  const { rig, provider, agent, guestId } = await world("dedicated");
  const code = provider.code(agent, { validity: MINUTE, returnMeans });
  await enabled(agent, { code, partition: "p1" });
  await serveRounds(rig, agent, 5, 10_000);
  stubborn(rig);
  const calls = rig.driver.calls.length;
  await serveRounds(rig, agent, 4, 10_000);
  const tried = rig.driver.calls
    .slice(calls)
    .filter((call) => /^(resize|shareCores)/.test(call))
    .map((call) => (call.startsWith("resize") ? "ask" : "repin"));
  // Taken cores, and a boot that is waited for, leave nothing more to try.
  const last = returnMeans.findIndex((means) => means !== "ask");
  const upTo = last < 0 ? returnMeans : returnMeans.slice(0, last + 1);
  expect(tried).toEqual(upTo.filter((means) => means !== "next-boot"));
  const [service] = listServices(agent.db);
  expect(service?.state).toBe(upTo.includes("repin") ? undefined : "unreturned");
  rig.driver.end(guestId, "guest-powered-off");
  await serveRounds(rig, agent, 1, 10_000);
  expect(listServices(agent.db)).toEqual([]);
  expect(RETURN_MEANS).toEqual(expect.arrayContaining(returnMeans));
});

test("of memory no cores can be taken: after that it is the next boot", async () => {
  const { rig, provider, agent, guestId, spec } = await world("dedicated");
  const memory = { resource: "memory", quantity: 2 ** 28 } as const;
  const code = provider.code(agent, { ...memory, validity: MINUTE });
  await enabled(agent, { code, partition: "p1" });
  await serveRounds(rig, agent, 5, 10_000);
  stubborn(rig);
  await serveRounds(rig, agent, 5, 10_000);
  expect(listServices(agent.db)).toMatchObject([{ state: "unreturned", means: "next-boot" }]);
  expect(rig.driver.calls).not.toContain(`shareCores ${guestId}`);
  rig.driver.end(guestId, "process-died");
  await serveRounds(rig, agent, 3, 10_000);
  expect(actOf(agent, "service-returned")).toMatchObject([{ means: "next-boot" }]);
  expect(spec()?.size.memoryBytes).toBe(SIZE.memoryBytes);
});

describe("what was not given back when its codes had ended", () => {
  /** Its guest holds on to a core whose code ended 30 s ago. */
  async function unreturned(mode: "dedicated" | "shared" = "dedicated") {
    const made = await world(mode);
    const { rig, provider, agent, place } = made;
    const change = { validity: MINUTE, returnMeans: ["next-boot"] satisfies ReturnMeans[] };
    const first = provider.code(agent, change);
    await enabled(agent, { code: first, ...place });
    rig.burn(10n * SECOND_NS);
    await serveRounds(rig, agent, 9, 10_000);
    expect(listServices(agent.db)).toMatchObject([{ state: "unreturned" }]);
    return { ...made, first };
  }
  const statesOf = (agent: AgentContext) => {
    const by: Record<string, bigint> = {};
    for (const { record } of recordsOf(agent)) {
      const { state = "", meteredQuantity = "0" } = record.capacity ?? {};
      by[state] = (by[state] ?? 0n) + BigInt(meteredQuantity);
    }
    return by;
  };

  test("lets nothing new begin, and says both ways out", async () => {
    const { agent, provider } = await unreturned();
    const memory = { resource: "memory", quantity: 2 ** 28 } as const;
    const refused = await enable(agent, { code: provider.code(agent, memory), partition: "p1" });
    expect(refused).toMatchObject({ code: "capacity-unreturned" });
    expect("message" in refused && refused.message).toMatch(
      /`sublet capacity return`, or restart its guest\), or enter a new code of its provider/,
    );
  });

  test("is in service again by a new code of the same provider, and unreturned only between", async () => {
    const { rig, agent, provider, first } = await unreturned();
    const code = provider.code(agent);
    const done = await enabled(agent, { code, partition: "p1" });
    expect(done).toMatchObject({ isAlreadyApplied: false, service: { state: "in-service" } });
    expect(kindsOf(agent).slice(-2)).toEqual(["code-accepted", "service-covered"]);
    await serveRounds(rig, agent, 6, 10_000);
    expect(listServices(agent.db)).toHaveLength(1);
    await returned(agent, { partition: "p1" });
    // Enabled 2 s after the hour: its code ended 58 s later, and 32 s of the ninety came then.
    expect(statesOf(agent)).toEqual({
      "in-service": coreSeconds(58 + 60),
      unreturned: coreSeconds(32),
    });
    expect(checkChain(chainOrigin(first), recordsOf(agent))).toEqual({ ok: true });
    const debits = recordsOf(agent).flatMap(({ record }) => record.capacity?.debits ?? []);
    expect(new Set(debits.map(({ codeId }) => codeId)).size).toBe(2);
    expect(meteredOf(agent)).toBe(coreSeconds(150));
  });

  test("of the pool goes on in the same meters", async () => {
    const { rig, agent, provider } = await unreturned("shared");
    const { service } = await enabled(agent, { code: provider.code(agent), shared: true });
    expect(service).toMatchObject({ state: "in-service" });
    await serveRounds(rig, agent, 6, 10_000);
    expect(listServices(agent.db)).toHaveLength(1);
    expect(new Set(recordsOf(agent).map(({ record }) => record.chainId)).size).toBe(1);
  });

  test("is not covered by a code of another resource, of another provider, or for less", async () => {
    const { rig, agent, provider } = await unreturned();
    const other = createProvider();
    other.pin(agent);
    const memory = { resource: "memory", quantity: 2 ** 28 } as const;
    await enabled(agent, { code: provider.code(agent, memory) });
    await enabled(agent, { code: other.code(agent) });
    const later = { start: "2027-01-31T09:00:00Z", end: "2027-03-01T00:00:00Z" };
    await enabled(agent, { code: provider.code(agent, { validity: later }) });
    await serveRounds(rig, agent, 2, 10_000);
    expect(listServices(agent.db)).toMatchObject([{ state: "unreturned" }]);
    // The last one counts from its hour on.
    await serveRounds(rig, agent, 59, 60_000);
    expect(listServices(agent.db)).toMatchObject([{ state: "in-service" }]);
  });

  test("its owner asks back in vain while its guest holds it, which is said", async () => {
    const { rig, agent, provider, guestId } = await unreturned();
    stubborn(rig);
    expect(await giveBack(agent, { partition: "p1" })).toMatchObject({
      code: "capacity-not-given-back",
    });
    expect(listServices(agent.db)).toMatchObject([{ state: "unreturned" }]);
    // Who wants it out is not given it again.
    await enabled(agent, { code: provider.code(agent) });
    expect(listServices(agent.db)).toMatchObject([{ state: "unreturned" }]);
    rig.driver.end(guestId, "guest-powered-off");
    await capacityOnce(agent);
    expect(listServices(agent.db)).toEqual([]);
    expect(kindsOf(agent).at(-1)).toBe("time-to-bill returned");
  });
});

describe("a partition that changes under what is in service in it", () => {
  test("made shared: its enabled core comes out, and it is time to bill", async () => {
    const { rig, provider, agent, guestId } = await world("dedicated");
    await enabled(agent, { code: provider.code(agent), partition: "p1" });
    const memory = { resource: "memory", quantity: 2 ** 28 } as const;
    await enabled(agent, { code: provider.code(agent, memory), partition: "p1" });
    await serveRounds(rig, agent, 3, 10_000);
    await wipe(rig, agent, guestId);
    cut(agent, "p1", { size: { ...SIZE, cpuMilli: 500 }, cpuMode: "shared" });
    await serveRounds(rig, agent, 1, 10_000);
    expect(kindsOf(agent).slice(-2)).toEqual(["service-returned", "time-to-bill mode-change"]);
    // Memory is nobody else's in either mode.
    expect(listServices(agent.db)).toMatchObject([{ resource: "memory", state: "in-service" }]);
  });

  test("made dedicated: its meter of the pool ends, and it is time to bill", async () => {
    const { rig, provider, agent, guestId } = await world("shared");
    cut(agent, "p2", { size: { ...SIZE, cpuMilli: 100 }, cpuMode: "shared" });
    await enabled(agent, { code: provider.code(agent), shared: true });
    rig.burn(10n * SECOND_NS);
    await serveRounds(rig, agent, 3, 10_000);
    await wipe(rig, agent, guestId);
    cut(agent, "p1", { size: SIZE, cpuMode: "dedicated" });
    await serveRounds(rig, agent, 1, 10_000);
    expect(kindsOf(agent).at(-1)).toBe("time-to-bill mode-change");
    const finals = recordsOf(agent).filter(({ record }) => record.final);
    expect(finals).toHaveLength(1);
    expect(listServices(agent.db)).toMatchObject([{ mode: "shared", state: "in-service" }]);
  });

  test.each(["dedicated", "shared"] as const)(
    "removed, with %s capacity: the use until then is billed",
    async (mode) => {
      const { rig, provider, agent, guestId, place } = await world(mode);
      await enabled(agent, { code: provider.code(agent), ...place });
      rig.burn(10n * SECOND_NS);
      await serveRounds(rig, agent, 3, 10_000);
      await wipe(rig, agent, guestId);
      expect(removeCut(agent, "p1")).toBeNull();
      await serveRounds(rig, agent, 1, 10_000);
      expect(kindsOf(agent).at(-1)).toBe("time-to-bill termination");
      expect(recordsOf(agent).filter(({ record }) => record.final)).toHaveLength(1);
      expect(listServices(agent.db)).toHaveLength(mode === "shared" ? 1 : 0);
    },
  );

  async function wipe(rig: Rig, agent: AgentContext, guestId: string) {
    wipeOwnGuest(agent, "p1");
    await serveRounds(rig, agent, 3, 1_000);
    expect(rig.driver.guests.has(guestId)).toBe(false);
  }
});
