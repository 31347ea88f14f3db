import { expect, test } from "vitest";
import { z } from "zod";
import { beginRotation, rotateKeyOnce } from "../../src/agent/identity/rotate.ts";
import { listOldKids, readNextKey } from "../../src/agent/identity/store.ts";
import { usageBatchSchema } from "../../src/meter/record.ts";
import { verify } from "../../src/signature/envelope.ts";
import { keyRing } from "../../src/signature/key.ts";
import { Crash, createCrashPoint } from "./crash.ts";
import { createRig, desireLease, leaseOf, type Rig } from "./harness.ts";

test("a lease goes on under the key that its grant names, and the next is granted under the new one", async () => {
  const rig = createRig();
  const { server } = rig;
  const agent = await rig.start();
  const first = server.state.agentKey;
  const sentBy: (string | undefined)[] = [];
  const sendUsage = server.client.call;
  server.client.call = async (name, ...input) => {
    if (name === "sendUsage") {
      const { usageJws } = (input[0] as { body: { usageJws: string } }).body;
      const keys = server.state.agentKeys;
      const read = verify({ jws: usageJws, typ: "sublet-usage", keys, schema: usageBatchSchema });
      sentBy.push(read.ok ? read.kid : undefined);
    }
    return sendUsage(name, ...input);
  };
  const grant = desireLease(server, server.grantOf({ seconds: 600 }));
  await rig.rounds(agent, 3, 10_000);
  beginRotation(agent);
  await rotateKeyOnce(agent);
  const second = server.state.agentKey;
  expect(second?.kid).not.toBe(first?.kid);
  expect(agent.keys.current().kid).toBe(second?.kid);
  await rig.rounds(agent, 8, 30_000);
  expect(listOldKids(agent.db)).toEqual([first?.kid]);

  server.desire({ leases: [leaseOf(server, grant, server.signEnd(grant.leaseId))] });
  await rig.rounds(agent, 2, 1_000);
  const [ready] = server.reportsOf("ready");
  const [wiped] = server.reportsOf("wiped");
  const keys = keyRing(first ? [first] : []);
  const under = (jws: unknown, typ: "sublet-access" | "sublet-wipe-receipt") =>
    verify({ jws: String(jws), typ, keys, schema: z.unknown() }).ok;
  expect(under((ready as { accessJws?: string }).accessJws, "sublet-access")).toBe(true);
  expect(under((wiped as { receiptJws?: string }).receiptJws, "sublet-wipe-receipt")).toBe(true);
  expect(sentBy.length).toBeGreaterThan(1);
  expect(new Set(sentBy)).toEqual(new Set([first?.kid]));

  // Nothing needs the old key any more, and the next lease is under the new one.
  const next = server.grantOf({ seconds: 600 });
  expect(next.agentKeyThumbprint).toBe(second?.kid);
  server.desire({ leases: [leaseOf(server, next)] });
  await rig.rounds(agent, 2, 1_000);
  expect(server.reportsOf("ready", next.leaseId)).toHaveLength(1);
  expect(listOldKids(agent.db)).toEqual([]);
});

test("a grant under the old key that was on its way when the key changed still runs", async () => {
  const rig = createRig();
  const agent = await rig.start();
  const grant = rig.server.grantOf({ seconds: 600 });
  beginRotation(agent);
  await rotateKeyOnce(agent);
  desireLease(rig.server, grant);
  await rig.round(agent);
  expect(rig.server.reportsOf("ready")).toHaveLength(1);
  expect(rig.server.reportsOf("failed")).toEqual([]);
});

test("a rotation without a server is finished when it answers, and with one key, however often it is begun", async () => {
  const rig = createRig();
  const agent = await rig.start();
  const before = agent.keys.current().kid;
  rig.server.state.isAway = true;
  const next = beginRotation(agent);
  await expect(rotateKeyOnce(agent)).rejects.toMatchObject({ code: "server-unreachable" });
  expect(beginRotation(agent).kid).toBe(next.kid);
  expect(agent.keys.current().kid).toBe(before);
  rig.server.state.isAway = false;
  await rotateKeyOnce(agent);
  await rotateKeyOnce(agent);
  expect(agent.keys.current().kid).toBe(next.kid);
  expect(rig.server.state.agentKey?.kid).toBe(next.kid);
});

test("an agent killed between any two steps of a rotation finishes it with the same key", async () => {
  const crossed = await rotateThrough(Number.POSITIVE_INFINITY);
  for (let at = 1; at <= crossed; at++) await rotateThrough(at);
  expect(crossed).toBeGreaterThanOrEqual(2);
});

async function rotateThrough(at: number): Promise<number> {
  const rig: Rig = createRig();
  await rig.start();
  const point = createCrashPoint(at);
  const guarded = await rig.start({
    client: point.client(rig.server.client),
    onOpen: point.attach,
  });
  const { kid } = beginRotation(guarded);
  try {
    await rotateKeyOnce(guarded);
  } catch (error) {
    if (!(error instanceof Crash)) throw error;
  }
  const agent = await rig.start();
  await rotateKeyOnce(agent);
  expect(agent.keys.current().kid).toBe(kid);
  expect(rig.server.state.agentKey?.kid).toBe(kid);
  expect(readNextKey(agent.db)).toBeNull();
  return point.crossed();
}
