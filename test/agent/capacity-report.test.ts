import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { unreportedOf } from "../../src/agent/capacity/chain-store.ts";
import { capacityClient } from "../../src/agent/capacity/client.ts";
import { enable } from "../../src/agent/capacity/enable.ts";
import { billOnDemand } from "../../src/agent/capacity/once.ts";
import { importReceipts } from "../../src/agent/capacity/receipts.ts";
import { exportPart, exportReport } from "../../src/agent/capacity/report.ts";
import { sendActsOnce } from "../../src/agent/capacity/send-acts.ts";
import { listServices } from "../../src/agent/capacity/service-store.ts";
import { showCapacity } from "../../src/agent/capacity/show.ts";
import type { JoinedContext } from "../../src/agent/context.ts";
import { sendUsageOnce } from "../../src/agent/send-usage.ts";
import { listenLocally } from "../../src/agent/socket.ts";
import { ApiError } from "../../src/api/client/error.ts";
import { actsBatchSchema } from "../../src/enablement/capacity/act.ts";
import type { CapacityCode } from "../../src/enablement/capacity/code.ts";
import { setBackBy } from "../../src/enablement/capacity/set-back.ts";
import { usageBatchSchema } from "../../src/meter/record.ts";
import { unsentCount } from "../../src/meter/spool-batch.ts";
import { claimedPayload } from "../../src/signature/envelope.ts";
import { generateKey, keyRing } from "../../src/signature/key.ts";
import { newId } from "../../src/unit/id.ts";
import {
  actsOf,
  CORE,
  createProvider,
  enabled,
  kindsOf,
  type Provider,
  recordsOf,
  returned,
  SECOND_NS,
  STANDBY,
  serveRounds,
} from "./capacity.ts";
import { actsIn, headOf, receiptsFor, recordsIn } from "./capacity-reports.ts";
import { createRig, desireLease } from "./harness.ts";
import { begun, cut } from "./own.ts";

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

async function world(change: Partial<CapacityCode> = {}) {
  const rig = createRig(STANDBY);
  const provider = createProvider();
  const agent = await rig.startAlone();
  provider.pin(agent);
  cut(agent, "p1");
  await begun(agent, "p1");
  await rig.rounds(agent, 2, 1_000);
  await enabled(agent, { code: provider.code(agent, change), partition: "p1" });
  return { rig, provider, agent };
}

test("a report file holds all that has no receipt, and the same again until it has", async () => {
  const { rig, provider, agent } = await world();
  await serveRounds(rig, agent, 7, 10_000);
  await billOnDemand(agent, null);
  const report = exportReport(agent, provider.providerId);
  const again = exportReport(agent, provider.providerId);
  expect(again.acts.slice(0, -1)).toEqual(report.acts.slice(0, -1));
  expect(again.usage).toEqual(report.usage);

  const file = receiptsFor(agent, provider, report);
  const quantity = BigInt(CORE) * 70n * SECOND_NS;
  expect(
    unreportedOf(agent.db, { providerId: provider.providerId, resource: "cpu" }).quantity,
  ).toBe(quantity);
  const backwards = { ...file, receipts: file.receipts.toReversed() };
  const records = recordsOf(agent).length;
  expect(importReceipts(agent, backwards)).toEqual({ acts: 5, records, again: 0 });
  expect(importReceipts(agent, file)).toEqual({ acts: 0, records: 0, again: 0 });
  expect(unreportedOf(agent.db, { providerId: provider.providerId, resource: "cpu" })).toEqual({
    quantity: 0n,
    since: null,
  });
  const rest = exportReport(agent, provider.providerId);
  expect(rest.usage).toEqual([]);
  expect(actsIn(rest)).toEqual([]);
});

test("a report of a host that did nothing shows that it is alive, and when it was set back", async () => {
  const { rig, provider, agent } = await world();
  await serveRounds(rig, agent, 7, 10_000);
  const { providerId } = provider;
  const imported = importReceipts(
    agent,
    receiptsFor(agent, provider, exportReport(agent, providerId)),
  );
  expect(imported).toMatchObject({ acts: 4 });
  agent.db.close();
  const kept = readFileSync(join(rig.folder, "agent.db"));
  const first = await rig.startAlone();
  rig.clock.pass(3_600_000);
  const before = headOf(exportReport(first, providerId));
  rig.clock.pass(3_600_000);
  const after = headOf(exportReport(first, providerId));
  expect(after).toMatchObject({ seq: before.seq, hash: before.hash });
  expect(after.atMs - before.atMs).toBe(3_600_000);
  expect(after.runNs - before.runNs).toBe(3600n * SECOND_NS);
  expect(setBackBy(before, after)).toBeNull();
  first.db.close();
  for (const log of ["agent.db-wal", "agent.db-shm"])
    rmSync(join(rig.folder, log), { force: true });
  writeFileSync(join(rig.folder, "agent.db"), kept);
  rig.clock.reboot();
  const restored = await rig.startAlone();
  rig.clock.pass(120_000);
  const back = headOf(exportReport(restored, providerId));
  expect(setBackBy(after, back)).toMatch(/less run time at a later instant/);
});

test("a provider that restored an older database is sent again what it lacks, and an old receipt is not taken for that", async () => {
  const reporting = { reportAfterSeconds: 3600, reportLimit: "1".repeat(35), graceSeconds: 0 };
  const { rig, provider, agent } = await world({ reporting });
  const { providerId } = provider;
  const day = (n: number) => ({ receivedAt: `2027-02-0${n}T00:00:00Z` });
  const report = async () => {
    await serveRounds(rig, agent, 30, 60_000);
    await billOnDemand(agent, null);
    return exportReport(agent, providerId);
  };
  const one = await report();
  const first = receiptsFor(agent, provider, one, day(1));
  importReceipts(agent, first);
  const two = await report();
  importReceipts(agent, receiptsFor(agent, provider, two, day(2)));
  // A service that is over writes no more records: nothing of it would come by itself.
  await returned(agent, { partition: "p1" });
  importReceipts(agent, receiptsFor(agent, provider, exportReport(agent, providerId), day(3)));
  const whole = { acts: actsOf(agent).length, records: recordsOf(agent).length };
  expect(importReceipts(agent, first)).toEqual({ acts: 0, records: 0, again: 0 });
  expect(actsIn(exportReport(agent, providerId))).toEqual([]);

  rig.clock.pass(3 * 3_600_000);
  const idle = exportReport(agent, providerId);
  const lost = receiptsFor(agent, provider, idle, { ...day(4), most: 2 });
  const taken = importReceipts(agent, lost);
  expect(taken).toEqual({ acts: 0, records: 0, again: whole.acts - 2 + whole.records });
  // What was reported once is not overdue because somebody else lost it.
  await serveRounds(rig, agent, 1, 1_000);
  expect(showCapacity(agent).unreported).toMatchObject([
    { resources: [{ quantity: "0", overdueSince: null }] },
  ]);
  const again = exportReport(agent, providerId);
  expect(actsIn(again)).toEqual(Array.from({ length: whole.acts - 2 }, (_, index) => index + 3));
  expect(recordsIn(again)).toBe(whole.records);
  importReceipts(agent, receiptsFor(agent, provider, again, day(5)));
  expect(importReceipts(agent, lost)).toEqual({ acts: 0, records: 0, again: 0 });
  expect(exportReport(agent, providerId).usage).toEqual([]);
});

test("on line the receipts for use are the provider's own", async () => {
  const rig = createRig(STANDBY);
  const provider = createProvider();
  const agent = await rig.start();
  rig.server.state.provider = provider;
  provider.pin(agent);
  desireLease(rig.server, rig.server.grantOf({ seconds: 600 }));
  const own = { ...rig.server.partition(), partitionId: newId("partition"), name: "p2" };
  rig.server.desire({ partitions: [rig.server.partition(), { ...own, lendable: false }] });
  await rig.rounds(agent, 2, 1_000);
  await begun(agent, "p2");
  await rig.rounds(agent, 2, 1_000);
  await enabled(agent, { code: provider.code(agent), partition: "p2" });
  await serveRounds(rig, agent, 7, 10_000);
  await rig.rounds(agent, 1, 1);
  expect(showCapacity(agent).unreported).toMatchObject([{ resources: [{ quantity: "0" }] }]);
  expect(recordsOf(agent).length).toBeGreaterThan(0);
});

test("on line a host that does nothing shows where it stands once a day", async () => {
  const rig = createRig(STANDBY);
  const provider = createProvider();
  const agent = await rig.start();
  provider.pin(agent);
  await enabled(agent, { code: provider.code(agent) });
  const sent: string[] = [];
  const send = async (jws: string) => {
    sent.push(jws);
    const report = { ...exportReport(agent, provider.providerId), acts: [jws], usage: [] };
    const [receiptJws = ""] = receiptsFor(agent, provider, report).receipts;
    return { receiptJws };
  };
  for (let hour = 0; hour <= 49; hour++) {
    await sendActsOnce(agent, { send });
    rig.clock.pass(3_600_000);
  }
  expect(sent).toHaveLength(3);
  const heads = sent.map((jws) => actsBatchSchema.parse(claimedPayload(jws)));
  expect(heads.map(({ acts }) => acts.length)).toEqual([2, 0, 0]);
});

test("a report of many batches comes in parts, which hold each of them once and acts first", async () => {
  const { rig, provider, agent } = await world();
  // Each record goes into a batch of its own, as on a host that was on line.
  for (let i = 0; i < 22; i++) {
    await serveRounds(rig, agent, 1, 61_000);
    exportPart(agent, provider.providerId, null);
  }
  const first = exportPart(agent, provider.providerId, null);
  // With where the ledger stands.
  expect(first.report.acts).toHaveLength(2);
  await billOnDemand(agent, null);
  const parts = [first.report];
  for (let { next } = first; next !== null; ) {
    const part = exportPart(agent, provider.providerId, next);
    parts.push(part.report);
    next = part.next;
  }
  // What was done meanwhile is for the next report: a part never goes back to acts.
  expect(parts.slice(1).flatMap(({ acts }) => acts)).toEqual([]);
  const usage = parts.flatMap((part) => part.usage);
  const seqs = usage.flatMap((jws) =>
    usageBatchSchema.parse(claimedPayload(jws)).records.map(({ record }) => record.seq),
  );
  expect(seqs).toEqual(recordsOf(agent).map(({ record }) => record.seq));
  expect(parts.length).toBeGreaterThan(1);
  expect(exportReport(agent, provider.providerId).usage).toEqual(usage);
});

test("receipts by another key, or for another host, are refused, and nothing of the file counts", async () => {
  const { rig, provider, agent } = await world();
  await serveRounds(rig, agent, 7, 10_000);
  const report = exportReport(agent, provider.providerId);
  const forged = receiptsFor(agent, provider, report, { by: generateKey() });
  expect(importReceipts(agent, forged)).toMatchObject({ code: "receipt-refused" });
  const right = receiptsFor(agent, provider, report);
  const mixed = { ...right, receipts: [...right.receipts, ...forged.receipts] };
  expect(importReceipts(agent, mixed)).toMatchObject({ code: "receipt-refused" });
  expect(actsIn(exportReport(agent, provider.providerId))).toEqual(actsIn(report));
});

test("unreported for too long: a warning, no new services, and then what is in service is returned", async () => {
  const reporting = { reportAfterSeconds: 60, reportLimit: "1".repeat(35), graceSeconds: 60 };
  const { rig, provider, agent } = await world({ reporting });
  await serveRounds(rig, agent, 7, 10_000);
  expect(showCapacity(agent).warnings).toMatchObject([expect.stringMatching(/unreported since/)]);
  expect(kindsOf(agent)).toContain("time-to-bill unreported-limit");
  const wish = { code: provider.code(agent, { reporting }), partition: "p1" };
  expect(await enable(agent, wish)).toMatchObject({ code: "capacity-unreported" });
  await serveRounds(rig, agent, 7, 10_000);
  expect(listServices(agent.db)).toEqual([]);
  importReceipts(agent, receiptsFor(agent, provider, exportReport(agent, provider.providerId)));
  await serveRounds(rig, agent, 1, 1_000);
  expect(await enable(agent, wish)).toMatchObject({ service: { state: "in-service" } });
});

test("past the limit of unreported use it is time to bill", async () => {
  const reportLimit = (BigInt(CORE) * 30n * SECOND_NS).toString();
  const reporting = { reportAfterSeconds: 10 ** 8, reportLimit, graceSeconds: 3600 };
  const { rig, agent } = await world({ reporting });
  await serveRounds(rig, agent, 8, 10_000);
  expect(kindsOf(agent)).toContain("time-to-bill unreported-limit");
});

test("what is unreported is counted for each resource by itself, by the codes of that resource", async () => {
  const reportLimit = (BigInt(CORE) * 90n * SECOND_NS).toString();
  const reporting = { reportAfterSeconds: 10 ** 8, reportLimit, graceSeconds: 3600 };
  const { rig, provider, agent } = await world({ reporting });
  const quantity = 2 ** 28;
  const memory = { resource: "memory", quantity, resourceTime: "9".repeat(25) } as const;
  await enabled(agent, { code: provider.code(agent, memory), partition: "p1" });
  await serveRounds(rig, agent, 7, 10_000);
  // Byte-nanoseconds of two billion times the limit of the cores, which are well below it.
  expect(showCapacity(agent).unreported).toMatchObject([
    {
      resources: [
        { resource: "cpu", quantity: `${BigInt(CORE) * 60n * SECOND_NS}`, overdueSince: null },
        { resource: "memory", quantity: `${BigInt(quantity) * 60n * SECOND_NS}` },
      ],
    },
  ]);
  expect(kindsOf(agent)).not.toContain("time-to-bill unreported-limit");
  // A later code that allows more loosens nothing; nor does one of another resource.
  await enabled(agent, { code: provider.code(agent) });
  await serveRounds(rig, agent, 7, 10_000);
  expect(showCapacity(agent).warnings).toEqual([
    expect.stringMatching(/^use of cpu is unreported since/),
  ]);
  const more = { code: provider.code(agent, { quantity: 2000 }), partition: "p1", quantity: 1000 };
  expect(await enable(agent, more)).toMatchObject({ code: "capacity-unreported" });
  const other = { code: provider.code(agent, memory), partition: "p1" };
  expect(await enable(agent, other)).toMatchObject({ service: { state: "in-service" } });
});

test("on line the same acts are sent until a receipt covers them", async () => {
  const rig = createRig(STANDBY);
  const provider = createProvider();
  const agent = await rig.start();
  provider.pin(agent);
  await enabled(agent, { code: provider.code(agent) });
  const sent: string[] = [];
  const lost = { send: (jws: string) => Promise.reject(new Error(`lost ${sent.push(jws)}`)) };
  await expect(sendActsOnce(agent, lost)).rejects.toThrow("lost");
  const report = exportReport(agent, provider.providerId);
  await sendActsOnce(agent, {
    send: async (jws) => {
      sent.push(jws);
      const [receiptJws = ""] = receiptsFor(agent, provider, { ...report, acts: [jws] }).receipts;
      return { receiptJws };
    },
  });
  expect(sent).toEqual([report.acts[0], report.acts[0]]);
  expect(actsIn(exportReport(agent, provider.providerId))).toEqual([]);
});

test("on line records are sent until the provider's own receipt covers them", async () => {
  const { rig, provider, agent } = await world();
  await serveRounds(rig, agent, 7, 10_000);
  await returned(agent, { partition: "p1" });
  const hostId = agent.host.hostId;
  const report = exportReport(agent, provider.providerId);
  const kept = unsentCount(agent.db);
  expect(kept).toBeGreaterThan(0);
  const [serverKey, serverId] = [generateKey(), "server-1"];
  const about = { serverId, hostId };
  const online = (by: Provider["key"], iss: string): JoinedContext => {
    const call = (_: string, { body }: { body: { usageJws: string } }) => {
      const one = { ...report, acts: [], usage: [body.usageJws] };
      const [receiptJws] = receiptsFor(agent, { ...provider, providerId: iss } as Provider, one, {
        by,
      }).receipts;
      return Promise.resolve({ receiptJws });
    };
    const serverKeys = keyRing([serverKey.publicJwk]);
    return { ...agent, serverKeys, server: { client: { call }, joined: about } } as never;
  };
  for (const [by, iss] of [
    [serverKey, serverId],
    [serverKey, provider.providerId],
    [provider.key, serverId],
  ] as const) {
    await expect(sendUsageOnce(online(by, iss))).rejects.toThrow(/receipt/);
    expect(unsentCount(agent.db)).toBe(kept);
  }
  await sendUsageOnce(online(provider.key, provider.providerId));
  expect(unsentCount(agent.db)).toBe(0);
});

test("acts that one provider's server refuses keep back no other provider's", async () => {
  const rig = createRig(STANDBY);
  const [elsewhere, here] = [createProvider(), createProvider()];
  const agent = await rig.start();
  for (const provider of [elsewhere, here]) {
    provider.pin(agent);
    await enabled(agent, { code: provider.code(agent) });
  }
  const report = exportReport(agent, here.providerId);
  const detail = "no provider of yours";
  const sending = sendActsOnce(agent, {
    send: async (jws, providerId) => {
      if (providerId === elsewhere.providerId) {
        throw new ApiError({ code: "not-found", detail, status: 404 });
      }
      const [receiptJws = ""] = receiptsFor(agent, here, { ...report, acts: [jws] }).receipts;
      return { receiptJws };
    },
  });
  await expect(sending).rejects.toThrow(detail);
  expect(actsIn(exportReport(agent, here.providerId))).toEqual([]);
  expect(actsIn(exportReport(agent, elsewhere.providerId)).length).toBeGreaterThan(0);
});

test("the socket enables, shows, bills, exports, imports and returns", async () => {
  const { rig, provider, agent } = await world();
  const socket = await listenLocally(agent);
  closing.push(socket.close);
  const client = capacityClient(socket.path);
  await serveRounds(rig, agent, 7, 10_000);
  const shown = await client.show();
  expect(shown).toMatchObject({
    accounts: [{ resource: "cpu", quantity: CORE, debited: `${BigInt(CORE) * 60n * SECOND_NS}` }],
    services: [{ state: "in-service", partition: "p1" }],
    outlooks: [{ burn: CORE, runsOutInSeconds: 3540 }],
  });
  expect(await client.billNow()).toEqual({ bills: 1 });
  await expect(client.enable({ partition: "nowhere" })).rejects.toMatchObject({
    code: "capacity-beyond-codes",
  });
  const { acts } = await client.history(2);
  expect(acts.map(({ record }) => record.seq)).toEqual([2, 3, 4, 5]);
  const report = await client.exportReport();
  const imported = await client.importReceipts(receiptsFor(agent, provider, report));
  expect(imported.acts).toBe(5);
  expect(await client.giveBack({ partition: "p1" })).toMatchObject({
    returned: [expect.any(String)],
  });
  await expect(client.giveBack({ shared: true })).rejects.toMatchObject({ code: "not-found" });
});
