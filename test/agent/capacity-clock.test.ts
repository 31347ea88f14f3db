import { expect, test } from "vitest";
import { enable } from "../../src/agent/capacity/enable.ts";
import { capacityOnce } from "../../src/agent/capacity/once.ts";
import { importReceipts } from "../../src/agent/capacity/receipts.ts";
import { exportReport } from "../../src/agent/capacity/report.ts";
import { showCapacity } from "../../src/agent/capacity/show.ts";
import type { AgentContext } from "../../src/agent/context.ts";
import { actsBatchSchema } from "../../src/enablement/capacity/act.ts";
import type { ReceiptFile } from "../../src/enablement/capacity/report-file.ts";
import { claimedPayload, sign } from "../../src/signature/envelope.ts";
import { createProvider, enabled, type Provider, STANDBY, serveRounds } from "./capacity.ts";
import { createRig, type Rig } from "./harness.ts";
import { begun, cut } from "./own.ts";

/** A host's wall clock that was wrong, and what its owner does about it. */
const DAY_MS = 86_400_000;

async function world() {
  const rig = createRig(STANDBY);
  const provider = createProvider();
  const agent = await rig.startAlone();
  provider.pin(agent);
  cut(agent, "p1");
  await enabled(agent, { code: provider.code(agent) });
  return { rig, provider, agent };
}

/** The computer starts anew, with its wall clock set by so much. */
async function rebooted(rig: Rig, before: AgentContext, stepMs: number): Promise<AgentContext> {
  before.db.close();
  rig.clock.reboot();
  rig.clock.stepWall(stepMs);
  const agent = await rig.startAlone();
  await capacityOnce(agent);
  rig.clock.pass(1_000);
  return agent;
}

/** What the provider gives for all acts of a report, at an instant by its own clock. */
function receipts(provider: Provider, agent: AgentContext, receivedMs: number): ReceiptFile {
  const { acts, hostId } = exportReport(agent, provider.providerId);
  const receivedAt = new Date(receivedMs).toISOString();
  const given = acts.map((jws) => {
    const { batchId, head } = actsBatchSchema.parse(claimedPayload(jws));
    const receipt = { iss: provider.providerId, aud: hostId, batchId, contiguousSeq: head.seq };
    return sign("sublet-acts-receipt", { ...receipt, receivedAt }, provider.key);
  });
  const kind = "sublet-capacity-receipts";
  return { kind, version: 1, hostId, providerId: provider.providerId, receipts: given };
}

const timeOf = (agent: AgentContext) => Date.parse(showCapacity(agent).at);

test("one boot with a clock that is ahead is undone by receipts, once it is set right", async () => {
  const { rig, provider, agent } = await world();
  const ahead = await rebooted(rig, agent, 60 * DAY_MS);
  const right = await rebooted(rig, ahead, -60 * DAY_MS);
  const wish = () => ({ code: provider.code(right), partition: "p1" });
  expect(await enable(right, wish())).toMatchObject({ code: "code-refused" });
  expect(showCapacity(right).warnings).toEqual([expect.stringContaining("set the clock right")]);
  const nowMs = rig.clock.now().getTime();
  // Twice as good as once: also where all acts had their receipts before.
  const file = receipts(provider, right, nowMs);
  importReceipts(right, file);
  importReceipts(right, file);
  expect(timeOf(right)).toBeGreaterThanOrEqual(nowMs);
  expect(timeOf(right)).toBeLessThan(nowMs + 60_000);
  importReceipts(right, file);
  expect(timeOf(right)).toBeGreaterThanOrEqual(nowMs);
  expect(showCapacity(right).warnings).toEqual([]);
  expect(await enable(right, wish())).toMatchObject({ service: { state: "in-service" } });
});

test("a fresh head proves it where the acts were signed while the clock was wrong", async () => {
  const { rig, provider, agent } = await world();
  const ahead = await rebooted(rig, agent, 60 * DAY_MS);
  exportReport(ahead, provider.providerId);
  const right = await rebooted(rig, ahead, -60 * DAY_MS);
  const nowMs = rig.clock.now().getTime();
  expect(importReceipts(right, receipts(provider, right, nowMs))).toMatchObject({ again: 0 });
  expect(timeOf(right)).toBeGreaterThanOrEqual(nowMs);
  expect(timeOf(right)).toBeLessThan(nowMs + 60_000);
});

test("turning the clock back gains nothing, with receipts of whatever age", async () => {
  const { rig, provider, agent } = await world();
  const kept = receipts(provider, agent, rig.clock.now().getTime());
  rig.clock.pass(20 * DAY_MS);
  await capacityOnce(agent);
  const before = timeOf(agent);
  const back = await rebooted(rig, agent, -20 * DAY_MS);
  expect(timeOf(back)).toBeGreaterThanOrEqual(before);
  importReceipts(back, kept);
  expect(timeOf(back)).toBeGreaterThanOrEqual(before);
  importReceipts(back, receipts(provider, back, before + 1_000));
  expect(timeOf(back)).toBeGreaterThanOrEqual(before);
});

test("nor do receipts of before the computer was off, whose time made up for what was ahead", async () => {
  const { rig, provider, agent } = await world();
  const ahead = await rebooted(rig, agent, 20 * DAY_MS);
  const kept = receipts(provider, ahead, rig.clock.now().getTime() - 20 * DAY_MS);
  // Off for 20 days, with the clock at what is right by then; then as far back as one likes.
  const right = await rebooted(rig, ahead, 0);
  const before = timeOf(right);
  importReceipts(right, kept);
  expect(timeOf(right)).toBeGreaterThanOrEqual(before);
  const back = await rebooted(rig, right, -20 * DAY_MS);
  importReceipts(back, kept);
  expect(timeOf(back)).toBeGreaterThanOrEqual(before);
});

test("time is not set back while a meter is open, and is when it has ended", async () => {
  const { rig, provider, agent } = await world();
  const ahead = await rebooted(rig, agent, 10 * DAY_MS);
  await begun(ahead, "p1");
  await rig.rounds(ahead, 2, 1_000);
  await enabled(ahead, { partition: "p1" });
  const right = await rebooted(rig, ahead, -10 * DAY_MS);
  const nowMs = rig.clock.now().getTime();
  importReceipts(right, receipts(provider, right, nowMs));
  expect(timeOf(right)).toBeGreaterThan(nowMs + 9 * DAY_MS);
  rig.clock.pass(40 * DAY_MS);
  await serveRounds(rig, right, 3, 10_000);
  expect(timeOf(right)).toBeLessThan(rig.clock.now().getTime() + 60_000);
});

test("a host with a server takes the server's signed time", async () => {
  const rig = createRig(STANDBY);
  const provider = createProvider();
  const agent = await rig.start();
  provider.pin(agent);
  await enabled(agent, { code: provider.code(agent) });
  agent.db.close();
  rig.clock.reboot();
  rig.clock.stepWall(60 * DAY_MS);
  rig.server.state.isAway = true;
  const again = await rig.start();
  expect(timeOf(again)).toBeGreaterThan(Date.parse("2027-03-30T00:00:00Z"));
  rig.server.state.isAway = false;
  await again.time.anchor(again.server.client, again.server.joined);
  expect(timeOf(again)).toBeLessThan(Date.parse("2027-02-01T00:00:00Z"));
});
