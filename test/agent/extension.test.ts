import { expect, test } from "vitest";
import { readLease } from "../../src/agent/lease/store.ts";
import type { Grant } from "../../src/enablement/grant.ts";
import { chainOrigin, checkChain } from "../../src/meter/chain.ts";
import { extensionAcknowledgementSchema } from "../../src/partition/signed.ts";
import { verify } from "../../src/signature/envelope.ts";
import { generateKey, keyRing } from "../../src/signature/key.ts";
import { newId } from "../../src/unit/id.ts";
import { createCrashPoint } from "./crash.ts";
import type { FakeServer } from "./fake-server.ts";
import { createRig, desireLease, leaseOf } from "./harness.ts";

/** The same grant, for `seconds` longer. */
function longer(grant: Grant, seconds: number, change: Partial<Grant> = {}): Grant {
  const end = new Date(Date.parse(grant.period.end) + seconds * 1000).toISOString();
  const period = { start: grant.period.start, end };
  return { ...grant, jti: newId("grant"), sequence: grant.sequence + 1, period, ...change };
}

function tellExtension(server: FakeServer, grant: Grant, extension: Grant, key = server.key): void {
  const codes = [server.signGrant(extension, key)];
  server.desire({ leases: [leaseOf(server, grant, null, codes)] });
}

test("an extension moves the end by the difference of the ends, and is acknowledged by signature", async () => {
  const { server, driver, clock, ...rig } = createRig();
  const agent = await rig.start();
  const grant = desireLease(server, server.grantOf({ seconds: 60 }));
  await rig.round(agent);
  const before = readLease(agent.db, grant.leaseId)?.endsAtNs ?? 0n;
  clock.stepWall(3_600_000);
  const extension = longer(grant, 90);
  tellExtension(server, grant, extension);
  await rig.rounds(agent, 3, 10_000);
  expect((readLease(agent.db, grant.leaseId)?.endsAtNs ?? 0n) - before).toBe(90_000_000_000n);
  const reports = server.reportsOf("extended");
  expect(reports).toHaveLength(1);
  const jws = reports[0]?.kind === "extended" ? reports[0].acknowledgementJws : "";
  const keys = keyRing(server.state.agentKey ? [server.state.agentKey] : []);
  const schema = extensionAcknowledgementSchema;
  const { leaseId } = grant;
  expect(verify({ jws, typ: "sublet-extended", keys, schema })).toMatchObject({
    payload: { leaseId, grantJti: extension.jti, sequence: 2, end: extension.period.end },
  });
  await rig.rounds(agent, 11, 10_000);
  expect(driver.guests.has(leaseId)).toBe(true);
  await rig.rounds(agent, 2, 10_000);
  expect(driver.guests.size).toBe(0);
  const records = [...server.state.records.values()];
  expect(checkChain(chainOrigin(server.signGrant(grant)), records)).toEqual({ ok: true });
  const deliveredNs = records.reduce((sum, { record }) => sum + BigInt(record.deliveredNs), 0n);
  expect(deliveredNs).toBe(150_000_000_000n);
});

test("without a server for a whole lease it ends at the old end when it never saw the extension", async () => {
  const { server, driver, ...rig } = createRig();
  const agent = await rig.start();
  const grant = desireLease(server, server.grantOf({ seconds: 60 }));
  await rig.round(agent);
  server.state.isAway = true;
  const extension = longer(grant, 600);
  tellExtension(server, grant, extension);
  await rig.rounds(agent, 7, 10_000);
  expect(driver.guests.size).toBe(0);
  server.state.isAway = false;
  await rig.round(agent);
  expect(server.reportsOf("extended")).toEqual([]);
  expect(server.reportsOf("wiped")).toHaveLength(1);
  expect(server.reportsOf("extension-refused")).toMatchObject([{ reason: "lease-ending" }]);
});

test("without a server it ends at the new end when it took the extension before, and says so", async () => {
  const { server, driver, ...rig } = createRig();
  const agent = await rig.start();
  const grant = desireLease(server, server.grantOf({ seconds: 60 }));
  await rig.round(agent);
  tellExtension(server, grant, longer(grant, 60));
  // The last that it hears: its own answer is lost with the connection.
  const { call } = server.client;
  server.client.call = (async (name: string, ...input: never[]) => {
    if (name === "report") server.state.isAway = true;
    return (call as (...all: unknown[]) => unknown)(name, ...input);
  }) as typeof call;
  await rig.rounds(agent, 1, 10_000);
  server.client.call = call;
  expect(server.reportsOf("extended")).toEqual([]);
  agent.db.close();
  const restarted = await rig.start();
  await rig.rounds(restarted, 10, 10_000);
  expect(driver.guests.has(grant.leaseId)).toBe(true);
  await rig.rounds(restarted, 2, 10_000);
  expect(driver.guests.size).toBe(0);
  server.state.isAway = false;
  await rig.round(restarted);
  const kinds = [...server.state.reports.values()].map(({ kind }) => kind);
  expect(kinds.slice(-3)).toEqual(["extended", "ending", "wiped"]);
  const records = [...server.state.records.values()];
  const deliveredNs = records.reduce((sum, { record }) => sum + BigInt(record.deliveredNs), 0n);
  expect(deliveredNs).toBe(120_000_000_000n);
});

test("after a restart of the computer the lease goes on to its new end", async () => {
  const { server, driver, clock, ...rig } = createRig();
  const before = await rig.start();
  const grant = desireLease(server, server.grantOf({ seconds: 60 }));
  await rig.round(before);
  tellExtension(server, grant, longer(grant, 60));
  await rig.rounds(before, 2, 10_000);
  before.db.close();
  driver.end(grant.leaseId, "host-restarted");
  clock.reboot();
  const agent = await rig.start();
  await rig.rounds(agent, 9, 10_000);
  expect(driver.guests.has(grant.leaseId)).toBe(true);
  await rig.rounds(agent, 2, 10_000);
  expect(driver.guests.size).toBe(0);
});

const REFUSED: readonly [string, string, (first: Grant) => Grant][] = [
  ["another host", "extension-differs", (g) => longer(g, 60, { aud: newId("host") })],
  ["another lease", "extension-differs", (g) => longer(g, 60, { leaseId: newId("lease") })],
  ["another size", "extension-differs", (g) => resized(longer(g, 60))],
  [
    "another client's key",
    "extension-differs",
    (g) => longer(g, 60, { clientKey: `${g.clientKey} x` }),
  ],
  [
    "another agent's key",
    "extension-differs",
    (g) => longer(g, 60, { agentKeyThumbprint: "other" }),
  ],
  [
    "another price",
    "extension-differs",
    (g) => longer(g, 60, { tariff: { ...g.tariff, priceMicrosPerHour: "9" } }),
  ],
  [
    "another image",
    "extension-differs",
    (g) => longer(g, 60, { image: { ...g.image, imageId: newId("image") } }),
  ],
  [
    "another start",
    "extension-differs",
    (g) =>
      longer(g, 60, {
        period: { start: "2027-01-31T07:00:00.000Z", end: "2027-01-31T09:00:00.000Z" },
      }),
  ],
  ["the number of the first", "extension-not-newer", (g) => longer(g, 60, { sequence: 1 })],
  ["the same end", "extension-not-longer", (g) => longer(g, 0)],
  ["an earlier end", "extension-not-longer", (g) => longer(g, -10)],
];
const resized = (grant: Grant): Grant => ({
  ...grant,
  partition: { ...grant.partition, size: { ...grant.partition.size, memoryBytes: 2 ** 31 } },
});

test.each(REFUSED)(
  "an extension with %s is refused as %s and the lease keeps its end",
  async (_what, code, alter) => {
    const { server, driver, ...rig } = createRig();
    const agent = await rig.start();
    const grant = desireLease(server, server.grantOf({ seconds: 60 }));
    await rig.round(agent);
    tellExtension(server, grant, alter(grant));
    await rig.rounds(agent, 4, 10_000);
    expect(server.reportsOf("extension-refused")).toMatchObject([{ reason: code }]);
    expect(driver.guests.has(grant.leaseId)).toBe(true);
    await rig.rounds(agent, 2, 10_000);
    expect(driver.guests.size).toBe(0);
  },
);

test("an extension that the server did not sign prolongs nothing", async () => {
  const { server, driver, ...rig } = createRig();
  const agent = await rig.start();
  const grant = desireLease(server, server.grantOf({ seconds: 30 }));
  await rig.round(agent);
  tellExtension(server, grant, longer(grant, 60), generateKey());
  await rig.rounds(agent, 4, 10_000);
  expect(server.reportsOf("extension-refused")).toMatchObject([
    { reason: "extension-unknown-key" },
  ]);
  expect(driver.guests.size).toBe(0);
});

test("several extensions are taken in order, and a server that forgot hears of them again", async () => {
  const { server, ...rig } = createRig();
  const agent = await rig.start();
  const grant = desireLease(server, server.grantOf({ seconds: 60 }));
  await rig.round(agent);
  const second = longer(grant, 60);
  const third = longer(second, 60);
  const codes = [second, third].map((one) => server.signGrant(one));
  server.desire({ leases: [leaseOf(server, grant, null, codes)] });
  await rig.rounds(agent, 2, 1_000);
  expect(readLease(agent.db, grant.leaseId)?.endsAt).toBe(third.period.end);
  const first = server.reportsOf("extended");
  expect(first).toHaveLength(2);
  server.state.reports.clear();
  await rig.rounds(agent, 1, 1_000);
  expect(server.reportsOf("extended")).toEqual(first);
  server.desire({ leases: [leaseOf(server, grant, null, [], 3)] });
  server.state.reports.clear();
  await rig.rounds(agent, 1, 1_000);
  expect(server.reportsOf("extended")).toEqual([]);
});

test("an agent killed at any boundary around an extension ends at the end that it acknowledged", async () => {
  for (let at = 1; ; at++) {
    const { server, driver, ...rig } = createRig();
    const first = await rig.start();
    const grant = desireLease(server, server.grantOf({ seconds: 60 }));
    await rig.round(first);
    first.db.close();
    tellExtension(server, grant, longer(grant, 30));
    const point = createCrashPoint(at);
    const overrides = { driver: point.driver(driver), client: point.client(server.client) };
    let wasKilled = false;
    try {
      const dying = await rig.start({ ...overrides, onOpen: (db) => point.attach(db) });
      await rig.rounds(dying, 2, 10_000);
      wasKilled = point.isDead();
      if (!wasKilled) dying.db.close();
    } catch (error) {
      if (!point.isDead()) throw error;
      wasKilled = true;
    }
    const agent = await rig.start();
    await rig.rounds(agent, 5, 10_000);
    expect(driver.guests.has(grant.leaseId), `boundary ${at}`).toBe(true);
    await rig.rounds(agent, 4, 10_000);
    expect(driver.guests.size).toBe(0);
    expect(server.reportsOf("extended")).toHaveLength(1);
    agent.db.close();
    if (!wasKilled) return;
  }
});
