import { expect, test } from "vitest";
import { type AgentContext, instantNow } from "../../src/agent/context.ts";
import { listGuests, resizeGuest } from "../../src/agent/guests.ts";
import { ownKey } from "../../src/agent/identity/store.ts";
import { insertLease, readLease } from "../../src/agent/lease/store.ts";
import { beginOwnGuest, setOwnPower, wipeOwnGuest } from "../../src/agent/own/guest.ts";
import { viewOwnGuest } from "../../src/agent/own/show.ts";
import { agentState } from "../../src/agent/show-state.ts";
import type { OwnGrant } from "../../src/enablement/own-grant.ts";
import { sign } from "../../src/signature/envelope.ts";
import { generateKey } from "../../src/signature/key.ts";
import { newId } from "../../src/unit/id.ts";
import { createRig, leaseOf, type Rig } from "./harness.ts";
import { begin, begun, cut, imageFiles, OWNER_KEY, SIZE } from "./own.ts";

const show = (agent: AgentContext, guestId: string) => {
  const row = readLease(agent.db, guestId);
  return row && viewOwnGuest(agent, row);
};

/** A host alone with a guest that runs. */
async function running(rig: Rig) {
  const agent = await rig.startAlone();
  const partition = cut(agent, "p1");
  const { leaseId } = await begun(agent, "p1");
  await rig.round(agent);
  return { agent, partition, leaseId };
}

/** A joined host whose partition is not lendable, with a guest of the owner's in it. */
async function runningAtJoined(rig: Rig) {
  const agent = await rig.start();
  rig.server.desire({ partitions: [rig.server.partition({ lendable: false })] });
  await rig.round(agent);
  const { leaseId } = await begun(agent, "p1");
  await rig.round(agent);
  return { agent, leaseId };
}

test("an owner's guest runs without a lease, by a grant that its own agent signed and verified", async () => {
  const rig = createRig();
  const { agent, leaseId } = await running(rig);
  expect(show(agent, leaseId)).toMatchObject({
    ...{ state: "running", partition: "p1", image: "tiny 1", cores: [0] },
    access: { address: "127.0.0.1", user: "root", hostKey: expect.stringMatching(/^ssh-ed25519 /) },
  });
  expect(rig.driver.guests.get(leaseId)?.spec).toMatchObject({ size: SIZE, hostname: "p1" });
  expect(agentState(agent)).toMatchObject({
    ...{ server: null, leases: [], guests: [{ guestId: leaseId }] },
    partitions: [{ name: "p1", inUse: { origin: "own" } }],
  });
});

test("a restart of the agent finds it, and it is booted again when its process dies", async () => {
  const rig = createRig();
  const { agent, leaseId } = await running(rig);
  agent.db.close();
  const again = await rig.startAlone();
  await rig.round(again);
  expect(rig.driver.calls.filter((call) => call.startsWith("boot"))).toHaveLength(1);
  rig.driver.end(leaseId, "process-died");
  await rig.rounds(again, 2, 1_000);
  expect(show(again, leaseId)).toMatchObject({ state: "running" });
  expect(rig.driver.calls.filter((call) => call.startsWith("boot"))).toHaveLength(2);
});

test("it has no end: years pass, and the wall clock steps, and it runs", async () => {
  const rig = createRig();
  const { agent, leaseId } = await running(rig);
  rig.clock.pass(3 * 365 * 86_400_000);
  await rig.rounds(agent, 2, 1_000);
  rig.clock.stepWall(-86_400_000);
  await rig.rounds(agent, 2, 1_000);
  expect(show(agent, leaseId)).toMatchObject({ state: "running" });
});

test("off and on again: one process less, the same disk and port", async () => {
  const rig = createRig();
  const { agent, leaseId } = await running(rig);
  const port = show(agent, leaseId)?.access?.port;
  expect(setOwnPower(agent, "p1", "off")).toMatchObject({ leaseId });
  await rig.round(agent);
  expect(show(agent, leaseId)).toMatchObject({ state: "off", cores: [0] });
  expect(rig.driver.guests.get(leaseId)?.observation.state).toBe("exited");
  await rig.rounds(agent, 3, 60_000);
  expect(show(agent, leaseId)).toMatchObject({ state: "off" });
  setOwnPower(agent, "p1", "on");
  await rig.rounds(agent, 2, 1_000);
  expect(show(agent, leaseId)).toMatchObject({ state: "running", access: { port } });
  expect(rig.driver.calls.filter((call) => call.startsWith("wipe"))).toEqual([]);
});

test("a wipe ends it and leaves nothing; twice is once; the partition is free", async () => {
  const rig = createRig();
  const { agent, leaseId } = await running(rig);
  wipeOwnGuest(agent, "p1");
  wipeOwnGuest(agent, "p1");
  await rig.round(agent);
  expect(show(agent, leaseId)).toMatchObject({ state: "wiped", access: null });
  expect(rig.driver.guests.size).toBe(0);
  expect(wipeOwnGuest(agent, "p1")).toMatchObject({ code: "no-own-guest" });
  await begun(agent, "p1");
  await rig.round(agent);
  expect(rig.driver.guests.size).toBe(1);
});

test("a second guest, a change and a removal of its partition are refused by name", async () => {
  const rig = createRig();
  const { agent } = await running(rig);
  expect(await begin(agent, "p1")).toMatchObject({ code: "partition-has-guest" });
  const change = () => cut(agent, "p1", { size: { ...SIZE, cpuMilli: 2000 } });
  expect(change).toThrow(expect.objectContaining({ code: "partition-has-guest" }));
});

test("two that start at once get one guest", async () => {
  const rig = createRig();
  const agent = await rig.startAlone();
  cut(agent, "p1");
  const both = await Promise.all([begin(agent, "p1"), begin(agent, "p1")]);
  expect(both.filter((done) => "leaseId" in done)).toHaveLength(1);
  expect(both).toContainEqual(expect.objectContaining({ code: "partition-has-guest" }));
});

test("no server is told of an own guest: no report, no usage record, no receipt", async () => {
  const rig = createRig();
  const { agent, leaseId } = await runningAtJoined(rig);
  rig.burn(5_000_000_000n);
  await rig.rounds(agent, 5, 60_000);
  setOwnPower(agent, "p1", "off");
  await rig.rounds(agent, 2, 1_000);
  wipeOwnGuest(agent, "p1");
  await rig.rounds(agent, 2, 1_000);
  expect(show(agent, leaseId)).toMatchObject({ state: "wiped", stage: "done" });
  expect([...rig.server.state.reports.values()]).toEqual([]);
  expect([...rig.server.state.records.values()]).toEqual([]);
  expect(agentState(agent).unsent).toEqual({ reports: 0, usageRecords: 0 });
});

test("a server that names an owner's guest ends nothing, with any order", async () => {
  const rig = createRig();
  const { agent, leaseId } = await runningAtJoined(rig);
  const grant = rig.server.grantOf({ leaseId });
  rig.server.desire({ leases: [leaseOf(rig.server, grant, rig.server.signEnd(leaseId))] });
  await rig.rounds(agent, 2, 1_000);
  expect(show(agent, leaseId)).toMatchObject({ state: "running" });
});

test("a server that makes the partition lendable under an own guest is refused at the grant", async () => {
  const rig = createRig();
  const { agent, leaseId } = await runningAtJoined(rig);
  const grant = rig.server.grantOf();
  rig.server.desire({
    partitions: [rig.server.partition({ generation: 2 })],
    leases: [leaseOf(rig.server, grant)],
  });
  await rig.rounds(agent, 2, 1_000);
  const [failed] = rig.server.reportsOf("failed", grant.leaseId);
  expect(failed).toMatchObject({ reason: "partition-has-guest" });
  expect(show(agent, leaseId)).toMatchObject({ state: "running" });
});

test("in a lendable partition, and in a leased one, no own guest is started", async () => {
  const rig = createRig();
  const agent = await rig.start();
  rig.server.desire({ partitions: [rig.server.partition()] });
  await rig.round(agent);
  expect(await begin(agent, "p1")).toMatchObject({ code: "partition-lendable" });
  rig.server.desire({ leases: [leaseOf(rig.server, rig.server.grantOf({ seconds: 600 }))] });
  await rig.round(agent);
  expect(await begin(agent, "p1")).toMatchObject({ code: "partition-in-use" });
});

test("a grant that another key signed, or for another host, runs nothing and fails by name", async () => {
  const rig = createRig();
  const agent = await rig.startAlone();
  const { partitionId } = cut(agent, "p1");
  const insert = (change: Partial<OwnGrant>, by = ownKey(agent.db)) => {
    const grant = forged(agent, partitionId, change);
    const grantJws = sign("sublet-own-grant", grant, by);
    const { leaseId } = grant;
    insertLease(agent.db, { leaseId, partitionId, grantJws, receivedAt: grant.issuedAt }, "own");
    return leaseId;
  };
  const stranger = insert({}, generateKey());
  await rig.round(agent);
  expect(show(agent, stranger)).toMatchObject({ state: "failed", reason: "grant-unknown-key" });
  const other = insert({ aud: newId("host") });
  await rig.round(agent);
  expect(show(agent, other)).toMatchObject({ state: "failed", reason: "grant-other-host" });
  expect(rig.driver.calls.filter((call) => call.startsWith("boot"))).toEqual([]);
});

test("what cannot be started is refused at once, and nothing is stored", async () => {
  const rig = createRig();
  const agent = await rig.startAlone();
  cut(agent, "small", { size: { ...SIZE, memoryBytes: 32 * 1024 ** 2 } });
  expect(await begin(agent, "small")).toMatchObject({ code: "memory-too-small" });
  cut(agent, "p1");
  expect(await begin(agent, "p1", `command="x" ${OWNER_KEY}`)).toMatchObject({
    code: "client-key-wrong",
  });
  const wrong = imageFiles(rig.folder, [Buffer.from("another"), Buffer.from("thing")]);
  const wish = { clientKey: OWNER_KEY };
  expect(await beginOwnGuest(agent, "p1", { ...wish, image: wrong })).toMatchObject({
    code: "image-digest-wrong",
  });
  const gone = { ...wrong, files: ["/nowhere/kernel", "/nowhere/initramfs"] };
  expect(await beginOwnGuest(agent, "p1", { ...wish, image: gone })).toMatchObject({
    code: "image-unreadable",
  });
  expect(await beginOwnGuest(agent, "p1", { ...wish, image: { name: "tiny" } })).toMatchObject({
    code: "no-file-server",
  });
  expect(agentState(agent).guests).toEqual([]);
});

test("with a server the image may be one of its file server, by name; an unknown one is named", async () => {
  const rig = createRig();
  const agent = await rig.start();
  rig.server.desire({ partitions: [rig.server.partition({ lendable: false })] });
  await rig.round(agent);
  const wish = { clientKey: OWNER_KEY };
  expect(await beginOwnGuest(agent, "p1", { ...wish, image: { name: "huge" } })).toMatchObject({
    ...{ code: "image-unknown", message: expect.stringContaining("tiny") },
  });
  const done = await beginOwnGuest(agent, "p1", { ...wish, image: { name: "tiny" } });
  if (!("leaseId" in done)) throw new Error(done.message);
  await rig.round(agent);
  expect(show(agent, done.leaseId)).toMatchObject({ state: "running" });
  rig.server.state.isAway = true;
  expect(await beginOwnGuest(agent, "p1", { ...wish, image: { name: "tiny" } })).toMatchObject({
    code: "partition-has-guest",
  });
});

test("whoever builds on guests finds own and leased ones, and resizes them with their cores", async () => {
  const rig = createRig();
  const { agent, leaseId } = await running(rig);
  rig.burn(7n);
  expect(await listGuests(agent)).toMatchObject([
    {
      ...{ guestId: leaseId, origin: "own", partition: { name: "p1" }, cpuMode: "dedicated" },
      ...{ isRunning: true, cpuNs: 7n, cores: [0], processId: expect.any(String) },
    },
  ]);
  const size = { ...SIZE, cpuMilli: 2000 };
  expect(await resizeGuest(agent, leaseId, { size, cores: [0, 3] })).toEqual({ how: "live" });
  expect(rig.driver.guests.get(leaseId)?.spec).toMatchObject({ size, cores: [0, 3] });
});

function forged(
  agent: AgentContext,
  partitionId: OwnGrant["partition"]["partitionId"],
  change: object,
): OwnGrant {
  const { manifest } = imageFiles(agent.config.dataFolder);
  return {
    jti: newId("grant"),
    ...{ iss: agent.host.hostId, aud: agent.host.hostId, issuedAt: instantNow(agent) },
    leaseId: newId("lease"),
    partition: { partitionId, name: "p1", cpuMode: "dedicated", size: SIZE },
    image: { digest: `sha256:${"0".repeat(64)}`, manifest },
    clientKey: OWNER_KEY,
    agentKeyThumbprint: ownKey(agent.db).kid,
    ...change,
  };
}
