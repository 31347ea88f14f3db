import { afterAll, expect, test } from "vitest";
import { enable } from "../../src/agent/capacity/enable.ts";
import { keep, lend } from "../../src/agent/capacity/lend.ts";
import { followOrders } from "../../src/agent/capacity/orders.ts";
import { showCapacity } from "../../src/agent/capacity/show.ts";
import type { AgentContext } from "../../src/agent/context.ts";
import { CAPACITY_COMMANDS } from "../../src/agent/local/capacity-commands.ts";
import { tellLentOnce } from "../../src/agent/report-capacity.ts";
import { Refusal } from "../../src/refusal/refusal.ts";
import { type CodeId, newId } from "../../src/unit/id.ts";
import { makeTempFolder } from "../setup/temp-folder.ts";
import {
  actsOf,
  CORE,
  createProvider,
  enabled,
  kindsOf,
  recordsOf,
  returned,
  SECOND_NS,
  STANDBY,
  serveRounds,
} from "./capacity.ts";
import { makeClientKey } from "./client-key.ts";
import { createRig, desireLease } from "./harness.ts";
import { begun } from "./own.ts";

const temporary = makeTempFolder("lend");
afterAll(() => temporary.remove());

const HOUR = (BigInt(CORE) * 3600n * SECOND_NS).toString();

/** A host of a server, with two cores in standby, and a guest of its owner's in p2. */
async function world() {
  const rig = createRig(STANDBY);
  const provider = createProvider();
  rig.server.state.provider = provider;
  const agent = await rig.start();
  provider.pin(agent);
  const { server } = rig;
  const own = { partitionId: newId("partition"), name: "p2", lendable: false };
  server.desire({ partitions: [{ ...server.partition(), ...own }] });
  await rig.round(agent);
  await begun(agent, "p2");
  await rig.rounds(agent, 2, 1_000);
  return { rig, provider, agent, server };
}

async function lent(agent: AgentContext, code: string): Promise<CodeId> {
  const done = await lend(agent, code);
  if (done instanceof Refusal) throw done;
  return done.codeId;
}

/** A command at the socket, by the end of its path. */
async function typed(agent: AgentContext, name: string, body: unknown) {
  const path = `/v1/capacity/${name}`;
  const [, , work] = CAPACITY_COMMANDS.find(([, pattern]) => pattern.test(path)) ?? [];
  return work?.(agent, "", body);
}

test("a code that is lent is accepted with it, and the server is told at once and whenever it changes", async () => {
  const { provider, agent, server } = await world();
  const code = provider.code(agent);
  await typed(agent, "lend", { code });
  const [told] = server.state.lentCodes;
  expect(server.state.lentCodes).toEqual([
    {
      ...{ codeId: told?.codeId, providerId: provider.providerId, resource: "cpu" },
      ...{ quantity: CORE, resourceTime: HOUR },
      validity: { start: "2027-01-31T00:00:00Z", end: "2027-03-01T00:00:00Z" },
    },
  ]);
  expect(kindsOf(agent)).toEqual(["code-accepted", "code-lent"]);
  expect(showCapacity(agent).accounts).toMatchObject([{ lentAt: expect.any(String) }]);
  // The same again is lent already.
  const codeId = told?.codeId ?? newId("code");
  expect(await lend(agent, { codeId })).toMatchObject({ isSoAlready: true });
  expect(await lend(agent, code)).toMatchObject({ isSoAlready: true });
  expect(kindsOf(agent)).toHaveLength(2);
  server.state.isAway = true;
  await keep(agent, codeId);
  await tellLentOnce(agent);
  expect(server.state.lentCodes).toHaveLength(1);
  server.state.isAway = false;
  await tellLentOnce(agent);
  expect(server.state.lentCodes).toEqual([]);
});

test("what is lent is drawn on by leases alone, and the standby that it promises is not the owner's", async () => {
  const { rig, provider, agent } = await world();
  const code = provider.code(agent, { validity: soon() });
  await lent(agent, code);
  expect(await enable(agent, { partition: "p2" })).toMatchObject({ code: "capacity-none" });
  expect(await enable(agent, { code, partition: "p2" })).toMatchObject({ code: "code-lent" });
  const other = provider.code(agent, { quantity: 2 * CORE });
  expect(await enable(agent, { code: other, shared: true })).toMatchObject({
    ...{ code: "standby-taken", message: expect.stringContaining("1000 of cpu") },
  });
  await enabled(agent, { partition: "p2", quantity: CORE });
  await serveRounds(rig, agent, 10, 10_000);
  await returned(agent, { partition: "p2" });
  const drawn = recordsOf(agent).flatMap(({ record }) => record.capacity?.debits ?? []);
  // The one that expires first is the lent one, and it is passed over.
  expect(new Set(drawn.map(({ codeId }) => codeId))).toEqual(
    new Set([showCapacity(agent).accounts[1]?.codeId]),
  );
});

test("a code that its owner uses is returned before it is lent", async () => {
  const { provider, agent } = await world();
  const code = provider.code(agent);
  const { service } = await enabled(agent, { code, partition: "p2" });
  expect(await lend(agent, code)).toMatchObject({
    code: "code-in-service",
    message: expect.stringContaining(service?.serviceId ?? "-"),
  });
  await returned(agent, { partition: "p2" });
  expect(await lend(agent, code)).toMatchObject({ isSoAlready: false });
});

test("of two codes the owner needs one for two cores in service, and lends neither", async () => {
  const { provider, agent } = await world();
  const first = provider.code(agent);
  await enabled(agent, { code: first });
  const second = provider.code(agent);
  await enabled(agent, { code: second, shared: true, quantity: 2 * CORE });
  for (const code of [first, second]) {
    expect(await lend(agent, code)).toMatchObject({ code: "code-in-service" });
  }
});

test("what is in use otherwise, used up or unknown is not lent", async () => {
  const { rig, provider, agent } = await world();
  await enabled(agent, { code: provider.code(agent), partition: "p2" });
  const big = provider.code(agent, { quantity: 2 * CORE });
  expect(await lend(agent, big)).toMatchObject({ code: "standby-taken" });
  await returned(agent, { partition: "p2" });
  const short = provider.code(agent, { resourceTime: `${10n * SECOND_NS}`, validity: soon() });
  await enabled(agent, { code: short, partition: "p2" });
  await serveRounds(rig, agent, 2, 10_000);
  await returned(agent, { partition: "p2" });
  expect(await lend(agent, short)).toMatchObject({ code: "capacity-none" });
  expect(await lend(agent, { codeId: newId("code") })).toMatchObject({ code: "not-found" });
});

test("a host without a server lends nothing, and is told the way out", async () => {
  const rig = createRig(STANDBY);
  const provider = createProvider();
  rig.server.state.provider = provider;
  const agent = await rig.startAlone();
  provider.pin(agent);
  expect(await lend(agent, provider.code(agent))).toMatchObject({
    code: "unsupported",
    message: expect.stringContaining("sublet capacity enable"),
  });
  expect(kindsOf(agent)).toEqual([]);
});

test("a code is kept again by the server's order, and never by what is typed at the host", async () => {
  const { provider, agent, server } = await world();
  const codeId = await lent(agent, provider.code(agent));
  const refused = await typed(agent, "keep", { codeId });
  expect(JSON.stringify(refused)).toContain(`sublet capacity keep ${codeId} --host`);
  const orderId = newId("order");
  await followOrders(agent as never, {
    capacityOrders: [{ orderId, ordered: { kind: "keep", codeId } }],
  });
  expect(server.state.answers).toEqual([{ outcome: "done", message: "" }]);
  expect(actsOf(agent).at(-1)).toEqual({ kind: "code-kept", codeId });
  expect(await enabled(agent, { partition: "p2" })).toMatchObject({
    service: { state: "in-service" },
  });
});

test("an order lends a code that the host has not seen, and is answered", async () => {
  const { provider, agent, server } = await world();
  const ordered = { kind: "lend" as const, code: provider.code(agent) };
  await followOrders(agent as never, { capacityOrders: [{ orderId: newId("order"), ordered }] });
  expect(server.state.answers).toEqual([{ outcome: "done", message: "" }]);
  expect(kindsOf(agent)).toEqual(["code-accepted", "code-lent"]);
});

test("a client's consent draws on nothing that is lent", async () => {
  const { rig, provider, agent, server } = await world();
  const client = makeClientKey(temporary.path);
  await lent(agent, provider.code(agent));
  const grant = server.grantOf({ seconds: 60, clientKey: client.publicLine });
  desireLease(server, grant);
  await rig.round(agent);
  expect(await enable(agent, { partition: "p1" })).toMatchObject({ code: "capacity-none" });
});

function soon() {
  return { start: "2027-01-31T00:00:00Z", end: "2027-02-02T00:00:00Z" };
}
