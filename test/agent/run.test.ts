import { createHash } from "node:crypto";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readLease } from "../../src/agent/lease/store.ts";
import { ApiError, UnreachableError } from "../../src/api/client/error.ts";
import { OUTBOX_CONTENT_AT } from "../../src/partition/outbox.ts";
import { generateSealKeys, SEALED_HEAD_BYTES, unseal } from "../../src/signature/sealed.ts";
import { Crash, createCrashPoint } from "./crash.ts";
import { createRig, desireLease } from "./harness.ts";

const MIB = 2 ** 20;
const BYTES = 4 * MIB;
const keys = generateSealKeys();
const left = Buffer.alloc(3 * MIB - 7, "a client's own ");

/** A lease with room for outputs, delivered; its server takes them, or fails as it is told. */
async function delivered() {
  const rig = createRig();
  const sent: { path: string; body: Buffer }[] = [];
  const taking = { failure: null as Error | null };
  const client = {
    ...rig.server.client,
    fetch: async (path: string, init?: RequestInit) => {
      if (init?.method !== "PUT") return rig.server.client.fetch(path, init);
      const body = Buffer.from(await new Response(init.body as ReadableStream).arrayBuffer());
      if (rig.server.state.isAway) throw new UnreachableError("http://away", new Error("away"));
      if (taking.failure) throw taking.failure;
      sent.push({ path, body });
      return new Response("{}");
    },
  };
  const agent = await rig.start({ client });
  const outbox = { bytes: BYTES, sealKey: keys.publicKey };
  const grant = desireLease(rig.server, rig.server.grantOf({ seconds: 1000, outbox }));
  await rig.round(agent);
  const say = (text: string, content = Buffer.alloc(0)) => {
    const head = Buffer.alloc(OUTBOX_CONTENT_AT);
    head.write(`sublet-outbox 1 ${text}\n`);
    rig.driver.writeOutbox(grant.leaseId, Buffer.concat([head, content]));
  };
  return { rig, agent, grant, say, sent, taking, client };
}

test("the outbox is room of the lease's own disk", async () => {
  const { rig, grant } = await delivered();
  const spec = rig.driver.guests.get(grant.leaseId)?.spec;
  expect(spec?.outboxBytes).toBe(BYTES);
  expect(spec?.size.diskBytes).toBe(grant.partition.size.diskBytes - BYTES);
});

test("a run that is done ends its lease, and what it left goes to its client alone, before the wipe", async () => {
  const { rig, agent, grant, say, sent } = await delivered();
  say("running");
  await rig.rounds(agent, 2, 1_000);
  expect(rig.server.reportsOf("run-started")).toHaveLength(1);
  say("exited 3 0");
  await rig.rounds(agent, 2, 1_000);
  expect(rig.server.reportsOf("run-exited")).toMatchObject([{ exitCode: 3 }]);
  expect(rig.driver.guests.size).toBe(1);
  say(`done 3 ${left.length}`, left);
  await rig.rounds(agent, 3, 1_000);
  expect(rig.driver.guests.size).toBe(0);
  expect(rig.server.reportsOf("ending")).toMatchObject([{ reason: "run-done" }]);
  expect(rig.server.reportsOf("run-exited")).toHaveLength(1);
  expect(sent).toHaveLength(1);
  const [{ path, body } = { path: "", body: Buffer.alloc(0) }] = sent;
  const digest = createHash("sha256").update(body).digest("hex");
  expect(path).toBe(`/v1/agent/leases/${grant.leaseId}/outputs/sha256:${digest}`);
  expect(body.includes("client's own")).toBe(false);
  const head = body.subarray(0, SEALED_HEAD_BYTES);
  const unsealing = unseal(keys, grant.leaseId, head, body.subarray(-16));
  const content = unsealing.add(body.subarray(SEALED_HEAD_BYTES, -16));
  unsealing.end();
  expect(content.equals(left)).toBe(true);
  expect(readdirSync(join(rig.folder, "outputs"))).toEqual([]);
});

test("without the server the work goes on and ends; what it left waits for the server, and so does the wipe", async () => {
  const { rig, agent, say, sent } = await delivered();
  rig.server.state.isAway = true;
  say(`done 0 ${left.length}`, left);
  await rig.rounds(agent, 5, 60_000);
  expect(rig.driver.calls.some((call) => call.startsWith("stop"))).toBe(true);
  expect(rig.driver.guests.size).toBe(1);
  rig.server.state.isAway = false;
  await rig.rounds(agent, 2, 60_000);
  expect(sent).toHaveLength(1);
  expect(rig.driver.guests.size).toBe(0);
});

test("a server that refuses them is told that they are lost, and the lease is wiped", async () => {
  const { rig, agent, say, taking } = await delivered();
  taking.failure = new ApiError({ code: "too-large", status: 413, detail: "too much" });
  say(`done 0 ${left.length}`, left);
  await rig.rounds(agent, 3, 1_000);
  expect(rig.server.reportsOf("outputs-lost")).toMatchObject([{ reason: "too-large" }]);
  expect(rig.driver.guests.size).toBe(0);
});

test("a lease that ends before its run has nothing to keep, and says so", async () => {
  const { rig, agent, say } = await delivered();
  say("running");
  await rig.rounds(agent, 3, 400_000);
  expect(rig.server.reportsOf("outputs-lost")).toMatchObject([{ reason: "run-not-finished" }]);
  expect(rig.driver.guests.size).toBe(0);
});

test("a guest that writes nonsense into its outbox changes nothing", async () => {
  const { rig, agent, grant, say } = await delivered();
  for (const text of ["done 0 99999999999", "done 0 1\ndone 0 1", "fine", "done x 1"]) {
    say(text);
    await rig.rounds(agent, 1, 1_000);
    expect(readLease(agent.db, grant.leaseId)?.stage, text).toBe("ready");
  }
});

test("an agent killed at any boundary while it collects sends them, and wipes once", async () => {
  for (let boundary = 1; ; boundary++) {
    const { rig, agent, say, sent, client } = await delivered();
    say(`done 5 ${left.length}`, left);
    agent.db.close();
    const point = createCrashPoint(boundary);
    let crashed = false;
    try {
      const again = await rig.start({ driver: point.driver(rig.driver), client });
      await rig.rounds(again, 3, 1_000);
    } catch (error) {
      if (!(error instanceof Crash)) throw error;
      crashed = true;
    }
    const last = await rig.start({ client });
    await rig.rounds(last, 4, 60_000);
    expect(rig.driver.guests.size, `boundary ${boundary}`).toBe(0);
    expect(sent.length, `boundary ${boundary}`).toBeGreaterThan(0);
    expect(rig.server.reportsOf("run-exited")).toHaveLength(1);
    if (!crashed) return;
  }
});
