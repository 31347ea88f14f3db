import { expect, test } from "vitest";
import { answerConsoles } from "../../src/agent/console.ts";
import { readDesiredOnce } from "../../src/agent/desired.ts";
import { readLease } from "../../src/agent/lease/store.ts";
import type { PowerState } from "../../src/enablement/power.ts";
import { generateKey } from "../../src/signature/key.ts";
import { newId } from "../../src/unit/id.ts";
import { Crash, createCrashPoint } from "./crash.ts";
import { createRig, desireLease, leaseOf, type Rig } from "./harness.ts";

async function delivered(seconds = 100) {
  const rig = createRig();
  const agent = await rig.start();
  const grant = desireLease(rig.server, rig.server.grantOf({ seconds }));
  await rig.round(agent);
  const wish = (state: PowerState, generation: number, key = rig.server.key) => {
    const powerJws = rig.server.signPower(grant.leaseId, state, generation, key);
    rig.server.desire({ leases: [leaseOf(rig.server, grant, null, [], 1, powerJws)] });
  };
  const guest = () => rig.driver.guests.get(grant.leaseId)?.observation;
  return { rig, agent, grant, wish, guest };
}

const boots = ({ driver }: Rig) => driver.calls.filter((call) => call.startsWith("boot")).length;

function deliveredSeconds({ server }: Rig): number {
  const records = [...server.state.records.values()];
  return Number(
    records.reduce((sum, { record }) => sum + BigInt(record.deliveredNs), 0n) / 10n ** 9n,
  );
}

test("a client stops its guest and starts it again: the same port, and what it reserved is paid", async () => {
  const { rig, agent, grant, wish, guest } = await delivered(100);
  const port = guest()?.port;
  await rig.rounds(agent, 1, 10_000);
  wish("off", 1);
  await rig.rounds(agent, 3, 10_000);
  expect(guest()).toMatchObject({ state: "exited" });
  expect(rig.server.reportsOf("powered-off")).toMatchObject([
    { generation: 1, isDone: true, reason: "asked-by-client" },
  ]);
  expect(rig.server.reportsOf("undelivered")).toEqual([]);
  expect(boots(rig)).toBe(1);

  wish("on", 2);
  await rig.rounds(agent, 1, 10_000);
  expect(guest()).toMatchObject({ state: "running", port });
  expect(rig.server.reportsOf("powered-on")).toMatchObject([{ generation: 2, isDone: true }]);
  expect(rig.server.reportsOf("delivered-again")).toHaveLength(1);
  await rig.rounds(agent, 7, 10_000);
  expect(rig.driver.guests.size).toBe(0);
  expect(deliveredSeconds(rig)).toBe(100);
  expect(readLease(agent.db, grant.leaseId)?.stage).toBe("done");
});

test("a restart is another life of the guest, once, however often it is read", async () => {
  const { rig, agent, wish, guest } = await delivered();
  const first = guest()?.processId;
  wish("restart", 1);
  await rig.rounds(agent, 3, 5_000);
  expect(guest()?.state).toBe("running");
  expect(guest()?.processId).not.toBe(first);
  expect(boots(rig)).toBe(2);
  expect(rig.server.reportsOf("powered-off")).toMatchObject([{ isDone: false }]);
  expect(rig.server.reportsOf("powered-on")).toMatchObject([{ isDone: true }]);
});

test("a guest that powered itself off comes back when its client starts it", async () => {
  const { rig, agent, grant, wish, guest } = await delivered();
  rig.driver.end(grant.leaseId, "guest-powered-off");
  await rig.rounds(agent, 2, 5_000);
  expect(guest()?.state).toBe("exited");
  wish("on", 1);
  await rig.rounds(agent, 1, 5_000);
  expect(guest()?.state).toBe("running");
});

test("a start of a guest that runs is confirmed and does nothing", async () => {
  const { rig, agent, wish } = await delivered();
  wish("on", 1);
  await rig.rounds(agent, 2, 5_000);
  expect(boots(rig)).toBe(1);
  expect(rig.server.reportsOf("powered-on")).toMatchObject([{ generation: 1, isDone: true }]);
});

test("an order that is forged, another lease's or older than the last does nothing", async () => {
  const { rig, agent, grant, wish, guest } = await delivered();
  wish("off", 1, generateKey());
  await rig.rounds(agent, 1, 5_000);
  const other = rig.server.signPower(newId("lease"), "off", 1);
  rig.server.desire({ leases: [leaseOf(rig.server, grant, null, [], 1, other)] });
  await rig.rounds(agent, 1, 5_000);
  expect(guest()?.state).toBe("running");
  wish("on", 5);
  await rig.rounds(agent, 1, 5_000);
  wish("off", 4);
  await rig.rounds(agent, 1, 5_000);
  expect(guest()?.state).toBe("running");
  expect(rig.server.reportsOf("powered-off")).toEqual([]);
});

test("a lease whose guest is off ends and is wiped like any other", async () => {
  const { rig, agent, wish } = await delivered(30);
  wish("off", 1);
  await rig.rounds(agent, 5, 10_000);
  expect(rig.driver.guests.size).toBe(0);
  expect(rig.server.reportsOf("wiped")).toHaveLength(1);
  expect(deliveredSeconds(rig)).toBe(30);
});

test("an agent killed at any boundary of a restart ends with one guest that runs", async () => {
  const crossed = await restartThrough(Number.POSITIVE_INFINITY);
  expect(crossed).toBeGreaterThan(5);
  for (let at = 1; at <= crossed; at++) await restartThrough(at);
});

async function restartThrough(at: number): Promise<number> {
  const { rig, agent, grant, wish, guest } = await delivered(600);
  agent.db.close();
  const point = createCrashPoint(at);
  const guarded = { driver: point.driver(rig.driver), client: point.client(rig.server.client) };
  const first = guest()?.processId;
  wish("restart", 1);
  const life = async () => {
    const dying = await rig.start({ ...guarded, onOpen: point.attach });
    await rig.rounds(dying, 2, 1_000);
    if (!point.isDead()) dying.db.close();
  };
  await life().catch((error: unknown) => {
    if (!(error instanceof Crash) && !point.isDead()) throw error;
  });
  const later = await rig.start();
  await rig.rounds(later, 4, 40_000);
  const lease = readLease(later.db, grant.leaseId);
  later.db.close();
  expect(lease, `killed at ${at}`).toMatchObject({ powerDoneGeneration: 1, isDelivered: true });
  expect(guest(), `killed at ${at}`).toMatchObject({ state: "running" });
  expect(guest()?.processId, `killed at ${at}`).not.toBe(first);
  expect(rig.driver.guests.size).toBe(1);
  return point.crossed();
}

test("a console is given to who asks for it, and a guest that is not here to nobody", async () => {
  const { rig, agent, grant } = await delivered();
  const requests = [grant.leaseId, newId("lease")].map((leaseId) => {
    return { requestId: newId("console"), leaseId };
  });
  rig.server.desire({ consoleRequests: requests });
  await answerConsoles(agent, (await readDesiredOnce(agent)).consoleRequests);
  expect(rig.server.state.consoles).toEqual([`console of ${grant.leaseId}\n`]);
});
