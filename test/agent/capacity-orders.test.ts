import { expect, test, vi } from "vitest";
import { followOrders } from "../../src/agent/capacity/orders.ts";
import type { AgentContext, JoinedContext } from "../../src/agent/context.ts";
import { CAPACITY_COMMANDS } from "../../src/agent/local/capacity-commands.ts";
import { newId } from "../../src/unit/id.ts";
import { actsOf, createProvider, kindsOf, recordsOf, STANDBY, serveRounds } from "./capacity.ts";
import { createRig } from "./harness.ts";
import { begun, cut, SIZE } from "./own.ts";

/** A host with a guest, and a server that hears what became of orders, when it is there. */
async function world() {
  const rig = createRig(STANDBY);
  const provider = createProvider();
  const agent = await rig.startAlone();
  provider.pin(agent);
  cut(agent, "p1", { size: SIZE, max: { ...SIZE, cpuMilli: 2000 } });
  await begun(agent, "p1");
  await rig.rounds(agent, 2, 1_000);
  const answers: { orderId: string; outcome: string }[] = [];
  const line = { isCut: false };
  const call = async (
    _: string,
    sent: { params: { orderId: string }; body: { outcome: string } },
  ) => {
    if (line.isCut) throw new Error("the line is cut");
    answers.push({ orderId: sent.params.orderId, outcome: sent.body.outcome });
    return { orderId: sent.params.orderId };
  };
  const joined = { ...agent, server: { client: { call } } } as unknown as JoinedContext;
  return { rig, provider, agent, joined, answers, line };
}

const servicesOf = (agent: AgentContext) =>
  kindsOf(agent).filter((kind) => kind === "service-begun").length;

test("an order is done once, also when its answer was lost and it comes again", async () => {
  const { provider, agent, joined, answers, line } = await world();
  const orderId = newId("order");
  const ordered = { kind: "enable", code: provider.code(agent), partition: "p1" } as const;
  const desired = { capacityOrders: [{ orderId, ordered }] };
  line.isCut = true;
  await followOrders(joined, desired);
  expect(answers).toEqual([]);
  line.isCut = false;
  await followOrders(joined, desired);
  expect(answers).toEqual([{ orderId, outcome: "done" }]);
  expect(servicesOf(agent)).toBe(1);
  const accepted = { kind: "enable", partition: "p1", resource: "cpu", quantity: 1000 } as const;
  const beyond = newId("order");
  await followOrders(joined, { capacityOrders: [{ orderId: beyond, ordered: accepted }] });
  expect(answers.at(-1)).toEqual({ orderId: beyond, outcome: "capacity-beyond-codes" });
  const back = newId("order");
  const give = { kind: "return", of: { partition: "p1" } } as const;
  await followOrders(joined, { capacityOrders: [{ orderId: back, ordered: give }] });
  expect(answers.at(-1)).toEqual({ orderId: back, outcome: "done" });
  expect(kindsOf(agent)).toContain("service-returned");
});

test("an order that names no code and was broken off is told of, and not done a second time", async () => {
  const { rig, provider, agent, joined, answers } = await world();
  const accept = { kind: "enable", code: provider.code(agent) } as const;
  await followOrders(joined, { capacityOrders: [{ orderId: newId("order"), ordered: accept }] });
  const orderId = newId("order");
  const ordered = { kind: "enable", partition: "p1", resource: "cpu", quantity: 1000 } as const;
  // As an agent that dies while the guest takes its core: nothing behind that is done.
  const { resize } = rig.driver;
  rig.driver.resize = () => new Promise(() => undefined);
  void followOrders(joined, { capacityOrders: [{ orderId, ordered }] });
  await vi.waitFor(() => expect(servicesOf(agent)).toBe(0));
  rig.driver.resize = resize;
  await vi.waitFor(async () => {
    await followOrders(joined, { capacityOrders: [{ orderId, ordered }] });
    expect(answers.at(-1)).toEqual({ orderId, outcome: "interrupted" });
  });
  expect(servicesOf(agent)).toBeLessThanOrEqual(1);
});

test("a demand that comes with a file of receipts is followed too", async () => {
  const { rig, provider, agent, joined } = await world();
  const ordered = { kind: "enable", code: provider.code(agent), partition: "p1" } as const;
  await followOrders(joined, { capacityOrders: [{ orderId: newId("order"), ordered }] });
  await serveRounds(rig, agent, 3, 10_000);
  const file = {
    ...{ kind: "sublet-capacity-receipts", version: 1, hostId: agent.host.hostId },
    ...{ providerId: provider.providerId, receipts: [] },
  };
  const [, , take] = CAPACITY_COMMANDS.find(([, path]) => path.test("/v1/capacity/import")) ?? [];
  await take?.(agent, "", file);
  expect(kindsOf(agent)).not.toContain("time-to-bill demand");
  await take?.(agent, "", { ...file, billNow: { demandedAt: "2027-01-31T12:00:00Z" } });
  expect(kindsOf(agent)).toContain("time-to-bill demand");
});

const toBill = (agent: AgentContext) =>
  actsOf(agent).flatMap((act) => (act.kind === "time-to-bill" ? [act] : []));

test("a demand with nothing to bill is answered once, by a time to bill that names nothing", async () => {
  const { rig, provider, agent, joined } = await world();
  const { providerId } = provider;
  const first = { billNow: [{ providerId, demandedAt: "2027-01-31T08:00:00Z" }] };
  await followOrders(joined, first);
  await followOrders(joined, first);
  expect(toBill(agent)).toMatchObject([{ reason: "demand", providerId, chains: [] }]);
  const ordered = { kind: "enable", code: provider.code(agent), partition: "p1" } as const;
  await followOrders(joined, { capacityOrders: [{ orderId: newId("order"), ordered }] });
  await followOrders(joined, { billNow: [{ providerId, demandedAt: "2027-01-31T08:01:00Z" }] });
  await serveRounds(rig, agent, 3, 10_000);
  // Its act is on its way: the same wish, told again, bills nothing more.
  await followOrders(joined, { billNow: [{ providerId, demandedAt: "2027-01-31T08:01:00Z" }] });
  await followOrders(joined, first);
  expect(toBill(agent).map(({ chains }) => chains.length)).toEqual([0, 0]);
  const present = { start: "2027-01-31T08:00:00.000Z", end: "2027-01-31T09:00:00.000Z" };
  expect(toBill(agent)[1]?.period).toEqual(present);
});

test("what a provider wants billed is billed", async () => {
  const { rig, provider, agent, joined } = await world();
  const ordered = { kind: "enable", code: provider.code(agent), partition: "p1" } as const;
  await followOrders(joined, { capacityOrders: [{ orderId: newId("order"), ordered }] });
  await serveRounds(rig, agent, 3, 10_000);
  const demand = { providerId: provider.providerId, demandedAt: "2027-01-31T08:00:00Z" };
  await followOrders(joined, { billNow: [demand] });
  expect(toBill(agent)).toMatchObject([{ reason: "demand", chains: [{ seq: 1 }] }]);
  expect(recordsOf(agent).length).toBeGreaterThan(0);
});
