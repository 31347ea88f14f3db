import { expect, test } from "vitest";
import { unreportedOf } from "../../src/agent/capacity/chain-store.ts";
import { capacityOnce } from "../../src/agent/capacity/once.ts";
import { importReceipts } from "../../src/agent/capacity/receipts.ts";
import { exportReport } from "../../src/agent/capacity/report.ts";
import type { AgentContext } from "../../src/agent/context.ts";
import { actsBatchSchema } from "../../src/enablement/capacity/act.ts";
import { usageBatchSchema } from "../../src/meter/record.ts";
import { claimedPayload, sign } from "../../src/signature/envelope.ts";
import {
  actsOf,
  CORE,
  createProvider,
  enabled,
  type Provider,
  recordsOf,
  returned,
  SECOND_NS,
  STANDBY,
} from "./capacity.ts";
import { createRig } from "./harness.ts";
import { begun, cut } from "./own.ts";

const DAY_MS = 86_400_000;
const STEP_MS = 10 * DAY_MS;
const SELDOM = { readingEveryMs: STEP_MS, recordEveryMs: STEP_MS };

/** Hands in what there is, and brings the receipts back. */
function handIn(agent: AgentContext, provider: Provider): void {
  const { providerId, key } = provider;
  const report = exportReport(agent, providerId);
  const about = { iss: providerId, aud: report.hostId, receivedAt: report.writtenAt };
  const acts = report.acts.map((jws) => {
    const { batchId, head } = actsBatchSchema.parse(claimedPayload(jws));
    return sign("sublet-acts-receipt", { ...about, batchId, contiguousSeq: head.seq }, key);
  });
  const usage = report.usage.map((jws) => {
    const { batchId, chainId, records } = usageBatchSchema.parse(claimedPayload(jws));
    const contiguousSeq = records.at(-1)?.record.seq ?? 0;
    return sign("sublet-receipt", { ...about, batchId, chainId, contiguousSeq }, key);
  });
  const kind = "sublet-capacity-receipts" as const;
  const file = { kind, version: 1 as const, hostId: report.hostId, providerId };
  expect(importReceipts(agent, { ...file, receipts: [...acts, ...usage] })).toHaveProperty("acts");
}

test("records are kept for 400 days, and longer until they are billed and receipted", async () => {
  const rig = createRig({ ...STANDBY, ...SELDOM });
  const provider = createProvider();
  const agent = await rig.startAlone();
  provider.pin(agent);
  cut(agent, "p1");
  await begun(agent, "p1");
  await rig.rounds(agent, 2, 1_000);
  const code = provider.code(agent, {
    validity: { start: "2027-01-31T00:00:00Z", end: "2037-01-31T00:00:00Z" },
    resourceTime: "9".repeat(34),
    billingPeriod: { kind: "fixed", seconds: STEP_MS / 1000, anchor: "2027-01-31T08:00:00Z" },
  });
  await enabled(agent, { code, partition: "p1" });
  const start = rig.clock.now().getTime();
  const pass = async (rounds: number, reports = true) => {
    for (let i = 0; i < rounds; i++) {
      rig.clock.pass(STEP_MS);
      await capacityOnce(agent);
      if (reports) handIn(agent, provider);
    }
  };
  const ageDays = () =>
    (rig.clock.now().getTime() - Date.parse(recordsOf(agent)[0]?.record.from.at ?? "")) / DAY_MS;

  await pass(39);
  expect(recordsOf(agent)[0]?.record.seq).toBe(1);
  await pass(6);
  expect(recordsOf(agent)[0]?.record.seq).toBeGreaterThan(2);
  expect(ageDays()).toBeGreaterThan(390);
  expect(ageDays()).toBeLessThan(430);
  const acts = actsOf(agent).length;
  expect(acts).toBeGreaterThan(45);

  // Nobody takes the reports: what has no receipt stays, however old it is.
  const receipted = recordsOf(agent).at(-1)?.record.seq ?? 0;
  await pass(48, false);
  const late = recordsOf(agent).filter(({ record }) => record.seq > receipted);
  expect(late).toHaveLength(48);
  expect(ageDays()).toBeGreaterThan(476);
  const quantity = BigInt(CORE) * BigInt((48 * STEP_MS) / 1000) * SECOND_NS;
  expect(
    unreportedOf(agent.db, { providerId: provider.providerId, resource: "cpu" }).quantity,
  ).toBe(quantity);
  handIn(agent, provider);
  await pass(42);
  expect(recordsOf(agent)[0]?.record.seq).toBeGreaterThan(receipted + 40);
  expect(
    unreportedOf(agent.db, { providerId: provider.providerId, resource: "cpu" }).quantity,
  ).toBe(0n);

  // What is over keeps its last record, and the numbers that hang on it.
  await returned(agent, { partition: "p1" });
  handIn(agent, provider);
  await pass(44, false);
  expect(recordsOf(agent).length).toBeLessThan(3);
  expect(recordsOf(agent).at(-1)?.record.final).toBe(true);
  expect(unreportedOf(agent.db, { providerId: provider.providerId, resource: "cpu" })).toEqual({
    quantity: 0n,
    since: null,
  });
  expect(actsOf(agent).length).toBeGreaterThan(acts);
  expect(rig.clock.now().getTime()).toBeGreaterThan(start);
}, 60_000);
