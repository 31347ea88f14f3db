import { afterEach, expect, test } from "vitest";
import { unreportedOf } from "../../src/agent/capacity/chain-store.ts";
import { capacityClient } from "../../src/agent/capacity/client.ts";
import { enable } from "../../src/agent/capacity/enable.ts";
import { billOnDemand } from "../../src/agent/capacity/once.ts";
import { exportReport, importReceipts } from "../../src/agent/capacity/report.ts";
import { sendActsOnce } from "../../src/agent/capacity/send-acts.ts";
import { listServices } from "../../src/agent/capacity/service-store.ts";
import { showCapacity } from "../../src/agent/capacity/show.ts";
import type { AgentContext, JoinedContext } from "../../src/agent/context.ts";
import { sendUsageOnce } from "../../src/agent/send-usage.ts";
import { listenLocally } from "../../src/agent/socket.ts";
import { actsBatchSchema } from "../../src/enablement/capacity/act.ts";
import type { CapacityCode } from "../../src/enablement/capacity/code.ts";
import type { ReceiptFile, ReportFile } from "../../src/enablement/capacity/report-file.ts";
import { usageBatchSchema } from "../../src/meter/record.ts";
import { unsentCount } from "../../src/meter/spool-batch.ts";
import { sign, verify } from "../../src/signature/envelope.ts";
import { generateKey, keyRing } from "../../src/signature/key.ts";
import {
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
import { createRig } from "./harness.ts";
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

/** What a provider makes of a report: it verifies every text and gives a receipt for each. */
function receiptsFor(
  agent: AgentContext,
  provider: Provider,
  report: ReportFile,
  by = provider.key,
) {
  const keys = keyRing([agent.keys.current().publicJwk]);
  const receivedAt = "2027-02-01T00:00:00Z";
  const about = { iss: provider.providerId, aud: report.hostId, receivedAt };
  const acts = report.acts.map((jws) => {
    const read = verify({ jws, typ: "sublet-acts", keys, schema: actsBatchSchema });
    if (!read.ok) throw new Error(read.message);
    const { batchId, acts: own, head } = read.payload;
    const contiguousSeq = own.at(-1)?.record.seq ?? head.seq;
    return sign("sublet-acts-receipt", { ...about, batchId, contiguousSeq }, by);
  });
  const usage = report.usage.map((jws) => {
    const read = verify({ jws, typ: "sublet-usage", keys, schema: usageBatchSchema });
    if (!read.ok) throw new Error(read.message);
    const { batchId, chainId, records } = read.payload;
    const contiguousSeq = records.at(-1)?.record.seq ?? 0;
    return sign("sublet-receipt", { ...about, batchId, chainId, contiguousSeq }, by);
  });
  const file: ReceiptFile = {
    ...{ kind: "sublet-capacity-receipts", version: 1 },
    ...{ hostId: report.hostId, providerId: provider.providerId, receipts: [...acts, ...usage] },
  };
  return file;
}

test("a report file holds all that has no receipt, and the same again until it has", async () => {
  const { rig, provider, agent } = await world();
  await serveRounds(rig, agent, 7, 10_000);
  await billOnDemand(agent, null);
  const report = exportReport(agent, provider.providerId);
  const again = exportReport(agent, provider.providerId);
  expect(again.acts).toEqual(report.acts);
  expect(again.usage).toEqual(report.usage);

  const file = receiptsFor(agent, provider, report);
  const quantity = BigInt(CORE) * 70n * SECOND_NS;
  expect(unreportedOf(agent.db, provider.providerId).quantity).toBe(quantity);
  const backwards = { ...file, receipts: file.receipts.toReversed() };
  expect(importReceipts(agent, backwards)).toEqual({ acts: 4, records: recordsOf(agent).length });
  expect(importReceipts(agent, file)).toEqual({ acts: 0, records: 0 });
  expect(unreportedOf(agent.db, provider.providerId)).toEqual({ quantity: 0n, since: null });
  expect(exportReport(agent, provider.providerId)).toMatchObject({ acts: [], usage: [] });
});

test("receipts by another key, or for another host, are refused, and nothing of the file counts", async () => {
  const { rig, provider, agent } = await world();
  await serveRounds(rig, agent, 7, 10_000);
  const report = exportReport(agent, provider.providerId);
  const forged = receiptsFor(agent, provider, report, generateKey());
  expect(importReceipts(agent, forged)).toMatchObject({ code: "receipt-refused" });
  const right = receiptsFor(agent, provider, report);
  const mixed = { ...right, receipts: [...right.receipts, ...forged.receipts] };
  expect(importReceipts(agent, mixed)).toMatchObject({ code: "receipt-refused" });
  expect(exportReport(agent, provider.providerId).acts).toEqual(report.acts);
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
  expect(exportReport(agent, provider.providerId).acts).toEqual([]);
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
      const [receiptJws] = receiptsFor(
        agent,
        { ...provider, providerId: iss } as Provider,
        one,
        by,
      ).receipts;
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
  expect(acts.map(({ record }) => record.seq)).toEqual([2, 3, 4]);
  const report = await client.exportReport();
  const imported = await client.importReceipts(receiptsFor(agent, provider, report));
  expect(imported.acts).toBe(4);
  expect(await client.giveBack({ partition: "p1" })).toMatchObject({
    returned: [expect.any(String)],
  });
  await expect(client.giveBack({ shared: true })).rejects.toMatchObject({ code: "not-found" });
});
