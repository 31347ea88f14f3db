import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { expireOutputsOnce } from "../../src/lease/expire-outputs.ts";
import { generateSealKeys } from "../../src/signature/sealed.ts";
import { type LeaseId, newId, type RunId } from "../../src/unit/id.ts";
import {
  becomeReady,
  becomeWiped,
  bookingOf,
  GIB,
  type Market,
  openMarket,
  readGrant,
} from "./fake-host.ts";
import { codeOf, startTestServer, type TestServer } from "./harness.ts";

const MIB = 2 ** 20;
const DAY_MS = 24 * 3_600_000;
const sealKey = generateSealKeys().publicKey;

let server: TestServer;
let market: Market;
beforeAll(async () => {
  server = await startTestServer();
  market = await openMarket(server);
});
afterAll(() => server.stop());

const content = Buffer.alloc(3 * MIB, "what was left behind");
const digestOf = (bytes: Buffer) => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

function bookBody(runId: RunId, bytes = 4 * MIB) {
  const run = { runId, kind: "detached" as const, command: "make", outbox: { bytes, sealKey } };
  return { ...bookingOf(), run };
}

async function begin(): Promise<{ runId: RunId; leaseId: LeaseId }> {
  const [runId, leaseId] = [newId("run"), newId("lease")];
  await market.client.call("bookLease", { params: { leaseId }, body: bookBody(runId) });
  await server.pass();
  return { runId, leaseId };
}

const show = (runId: RunId) => market.client.call("showRun", { params: { runId } });

function send(
  leaseId: LeaseId,
  bytes: Buffer,
  digest = digestOf(bytes),
  agent = market.host.agent,
) {
  return agent.fetch(`/v1/agent/leases/${leaseId}/outputs/${digest}`, {
    method: "PUT",
    headers: { "content-type": "application/octet-stream" },
    body: new Uint8Array(bytes),
  });
}

const outputsOf = async (leaseId: LeaseId, client = market.client) =>
  Buffer.from(await (await client.fetch(`/v1/client/leases/${leaseId}/outputs`)).arrayBuffer());

test("a run goes from its booking to its exit code, and what it left waits for its client alone", async () => {
  const { runId, leaseId } = await begin();
  const { grant } = await readGrant(market.host, leaseId);
  expect(grant.outbox).toEqual({ bytes: 4 * MIB, sealKey });
  expect((await show(runId)).state).toBe("booting");
  await becomeReady(market.host, leaseId);
  expect((await show(runId)).state).toBe("uploading");
  await market.host.report({ kind: "run-started", leaseId });
  expect((await show(runId)).state).toBe("running");
  await market.host.report({ kind: "run-exited", leaseId, exitCode: 3 });
  expect(await show(runId)).toMatchObject({ state: "collecting", exitCode: 3 });
  await market.host.report({ kind: "ending", leaseId, reason: "run-done" });
  expect(await codeOf(outputsOf(leaseId))).toBe("outputs-gone");
  await send(leaseId, content);
  // The answer was lost: once more changes nothing.
  await send(leaseId, content);
  await becomeWiped(market.host, { grant }, [], "run-done");
  const over = await show(runId);
  expect(over).toMatchObject({ state: "failed", exitCode: 3, command: "make" });
  expect(over.leases).toMatchObject([
    { outcome: "completed", outputs: { state: "kept", bytes: content.length, bytesMax: 4 * MIB } },
  ]);
  expect((await outputsOf(leaseId)).equals(content)).toBe(true);

  const stranger = await server.party("stranger", ["client"]);
  for (const other of [stranger.client, market.lender]) {
    expect(["not-found", "not-permitted"]).toContain(await codeOf(outputsOf(leaseId, other)));
    expect(["not-found", "not-permitted"]).toContain(
      await codeOf(other.call("showRun", { params: { runId } })),
    );
    expect(["not-found", "not-permitted"]).toContain(
      await codeOf(other.call("dropOutputs", { params: { leaseId } })),
    );
  }
  expect((await stranger.client.call("listRuns", { query: {} })).runs).toEqual([]);

  await market.client.call("dropOutputs", { params: { leaseId } });
  expect(await server.context.outputs.sizeBytes(digestOf(content))).toBeUndefined();
  expect(await codeOf(outputsOf(leaseId))).toBe("outputs-gone");
  expect(await codeOf(market.client.call("dropOutputs", { params: { leaseId } }))).toBe("done");
});

describe("outputs are refused", () => {
  test("that are more than their lease has room for", async () => {
    const { leaseId } = await begin();
    const big = Buffer.alloc(4 * MIB + 2048);
    expect(await codeOf(send(leaseId, big))).toBe("too-large");
    expect(await codeOf(outputsOf(leaseId))).toBe("outputs-gone");
    await market.client.call("endLease", { params: { leaseId } });
    const held = await readGrant(market.host, leaseId);
    await becomeWiped(market.host, held, [], "ended-by-client");
  });

  test("that are not what their digest says, or of a lease that is for nothing of the kind", async () => {
    const { leaseId } = await begin();
    expect(await codeOf(send(leaseId, content, digestOf(Buffer.from("x"))))).toBe(
      "blob-digest-wrong",
    );
    const held = await readGrant(market.host, leaseId);
    await market.client.call("endLease", { params: { leaseId } });
    await becomeWiped(market.host, held, [], "ended-by-client");
    const plain = newId("lease");
    const tomorrow = new Date(Date.now() + DAY_MS).toISOString();
    const body = bookingOf({ start: tomorrow });
    await market.client.call("bookLease", { params: { leaseId: plain }, body });
    expect(await codeOf(send(plain, content))).toBe("not-found");
    await market.client.call("endLease", { params: { leaseId: plain } });
    expect(await codeOf(send(plain, content, digestOf(content), market.client))).toBe(
      "not-authenticated",
    );
  });

  test("for which no disk would be left", async () => {
    const body = bookBody(newId("run"), GIB);
    const leaseId = newId("lease");
    const booked = market.client.call("bookLease", { params: { leaseId }, body });
    expect(await codeOf(booked)).toBe("invalid-input");
  });
});

test("outputs that nobody fetches are forgotten after a week, and not before", async () => {
  const { runId, leaseId } = await begin();
  const held = await readGrant(market.host, leaseId);
  await becomeReady(market.host, leaseId);
  await send(leaseId, content);
  const later = (ms: number) => new Date(server.context.clock.now().getTime() + ms);
  const { db, outputs } = server.context;
  expect(await expireOutputsOnce({ db, outputs }, later(6 * DAY_MS))).toBe(0);
  expect(await expireOutputsOnce({ db, outputs }, later(8 * DAY_MS))).toBe(1);
  expect(await expireOutputsOnce({ db, outputs }, later(8 * DAY_MS))).toBe(0);
  expect(await outputs.sizeBytes(digestOf(content))).toBeUndefined();
  const [lease] = (await show(runId)).leases;
  expect(lease?.outputs).toMatchObject({ state: "gone", reason: "expired" });
  await market.client.call("cancelRun", { params: { runId } });
  await becomeWiped(market.host, held, [], "ended-by-client");
  expect((await show(runId)).state).toBe("cancelled");
});

test("a run of a client that waits has the exit code that it told first", async () => {
  const [runId, leaseId] = [newId("run"), newId("lease")];
  const run = { runId, kind: "attached" as const, command: "true" };
  await market.client.call("bookLease", { params: { leaseId }, body: { ...bookingOf(), run } });
  const finish = (exitCode: number) =>
    market.client.call("finishRun", { params: { runId }, body: { exitCode } });
  expect(await finish(0)).toMatchObject({ state: "done", exitCode: 0 });
  expect(await finish(9)).toMatchObject({ state: "done", exitCode: 0 });
  const again = { runId, kind: "attached" as const, command: "other" };
  const reused = market.client.call("bookLease", {
    params: { leaseId: newId("lease") },
    body: { ...bookingOf(), run: again },
  });
  expect(["run-id-reused", "no-match"]).toContain(await codeOf(reused));
  await market.client.call("endLease", { params: { leaseId } });
  expect(await codeOf(market.client.call("showRun", { params: { runId } }))).toBe("done");
});
