import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { runAgent } from "../../src/agent/main.ts";
import type { AgentState } from "../../src/agent/show-state.ts";
import { type LocalSocket, listenLocally } from "../../src/agent/socket.ts";
import { callAgent } from "../../src/agent/socket-client.ts";
import { capacityRequestSchema, hostCardSchema } from "../../src/enablement/capacity/card.ts";
import { sign, verify } from "../../src/signature/envelope.ts";
import { generateKey, importPublicKey, keyRing, type SigningKey } from "../../src/signature/key.ts";
import { newId } from "../../src/unit/id.ts";
import { testLog } from "../setup/log.ts";
import { GIB } from "./fake-server.ts";
import { createRig, MACHINE } from "./harness.ts";
import { cut, imageFiles, OWNER_KEY, SIZE } from "./own.ts";

let socket: LocalSocket | null = null;
afterEach(async () => {
  await socket?.close();
  socket = null;
});
const call = (method: string, path: string, body?: unknown) =>
  callAgent(socket?.path ?? "", method, path, body);
const STANDBY = { standbyCores: "3", standbyMemoryBytes: GIB };

async function alone(options: object = STANDBY) {
  const rig = createRig(options);
  const agent = await rig.startAlone();
  socket = await listenLocally(agent);
  return { rig, agent };
}

/** A provider's card as its server signs it. */
function cardOf(keys: readonly SigningKey[], by: SigningKey, providerId = newId("party")): string {
  const issuedAt = "2027-01-01T00:00:00.000Z";
  const jwks = keys.map(({ publicJwk }) => ({ ...publicJwk }));
  return sign("sublet-provider-card", { providerId, name: "acme", keys: jwks, issuedAt }, by);
}

test("a host without a server makes its own id and key, keeps them, and can be called otherwise", async () => {
  const rig = createRig();
  const first = await rig.startAlone();
  expect(first).toMatchObject({ server: null, host: { hostName: "bunker" } });
  first.db.close();
  const again = await rig.startAlone({ options: { alone: { name: "cellar" } } });
  expect(again.host).toEqual({ hostId: first.host.hostId, hostName: "cellar" });
  expect(again.keys.current().kid).toBe(first.keys.current().kid);
  again.db.close();
  const unnamed = await rig.startAlone({ options: { alone: { name: "" } } });
  expect(unnamed.host.hostName).toBe("cellar");
  await expect(createRig().startAlone({ options: { alone: { name: "" } } })).rejects.toMatchObject({
    code: "host-name-wrong",
  });
});

test("a data folder is alone or joined, never both; each is told the way out", async () => {
  const rig = createRig();
  (await rig.startAlone()).db.close();
  await expect(rig.start()).rejects.toMatchObject({
    ...{ code: "host-is-alone", message: expect.stringContaining("another --data folder") },
  });
  const other = createRig();
  (await other.start()).db.close();
  await expect(other.startAlone()).rejects.toMatchObject({
    ...{ code: "host-is-joined", message: expect.stringContaining("another --data folder") },
  });
});

test("its loops run without a server, and stop with the guest running", async () => {
  const rig = createRig();
  const log = { ...testLog, debug: testLog.info };
  const options = { dataFolder: rig.folder, alone: { name: "bunker" } };
  const agent = await runAgent(options, { driver: rig.driver, machine: MACHINE, log });
  const ask = (method: string, path: string, body?: unknown) =>
    callAgent(agent.socketPath, method, path, body);
  try {
    await ask("PUT", "/v1/partitions/p1", { size: SIZE });
    const wish = { image: imageFiles(rig.folder), clientKey: OWNER_KEY };
    await ask("POST", "/v1/partitions/p1/guest", wish);
    await expect
      .poll(() => ask("GET", "/v1/partitions/p1/guest"), { timeout: 8_000 })
      .toMatchObject({ state: "running" });
  } finally {
    await agent.stop();
  }
  expect([...rig.driver.guests.values()]).toMatchObject([{ observation: { state: "running" } }]);
});

test("its partitions are cut on the spot, within the base, and their minimums with them", async () => {
  const { agent } = await alone({ ...STANDBY, memoryBytes: 8 * GIB, reserve: { cpuMilli: 0 } });
  const min = { cpuMilli: 1000, memoryBytes: GIB / 2, diskBytes: 0 };
  const set = (name: string, change: object = {}) =>
    call("PUT", `/v1/partitions/${name}`, { size: SIZE, min, ...change });
  await set("p1");
  await set("p2", { size: { ...SIZE, cpuMilli: 2000 }, max: { ...SIZE, cpuMilli: 9000 } });
  // Of four cores one is in standby and three are given.
  await expect(set("p3")).rejects.toMatchObject({ code: "capacity-exceeded" });
  await expect(set("p1", { size: { ...SIZE, cpuMilli: 2000 } })).rejects.toMatchObject({
    code: "capacity-exceeded",
  });
  await expect(set("p1", { size: { ...SIZE, memoryBytes: GIB / 4 } })).rejects.toMatchObject({
    code: "size-outside-limits",
  });
  await expect(set("p1", { size: { ...SIZE, cpuMilli: 1500 } })).rejects.toMatchObject({
    code: "partition-shape",
  });
  await expect(set("p1", { lendable: true })).rejects.toMatchObject({ code: "unsupported" });
  await expect(set("P%201")).rejects.toMatchObject({ code: "invalid-input" });
  const state = (await call("GET", "/v1/state")) as AgentState;
  expect(state.partitions.map(({ name, size }) => [name, size.cpuMilli])).toEqual([
    ["p1", 1000],
    ["p2", 2000],
  ]);
  await call("DELETE", "/v1/partitions/p2");
  await expect(call("DELETE", "/v1/partitions/p2")).rejects.toMatchObject({ code: "not-found" });
  await set("p3", { cpuMode: "shared" });
  expect(agent.capacity.base.cpuMilli).toBe(3000);
});

test("a host with a server is cut by that server alone, and a removal is refused as well", async () => {
  const rig = createRig();
  const agent = await rig.start();
  rig.server.desire({ partitions: [rig.server.partition()] });
  await rig.round(agent);
  socket = await listenLocally(agent);
  for (const [method, body] of [["PUT", { size: SIZE }], ["DELETE"]] as const) {
    await expect(call(method, "/v1/partitions/p1", body)).rejects.toMatchObject({
      code: "managed-by-server",
    });
  }
});

test("its card is signed by the key that it names, and says reserve, base and standby", async () => {
  const { agent } = await alone();
  const { cardJws } = (await call("GET", "/v1/capacity/card")) as { cardJws: string };
  const keys = keyRing([agent.keys.current().publicJwk]);
  const signed = { jws: cardJws, typ: "sublet-host-card", keys, schema: hostCardSchema } as const;
  const verified = verify(signed);
  expect(verified).toMatchObject({
    payload: {
      ...{ hostId: agent.host.hostId, name: "bunker", base: agent.capacity.base },
      standby: { cpuMilli: 1000, memoryBytes: GIB, diskBytes: 0 },
    },
  });
  if (!verified.ok) throw new Error(verified.message);
  expect(importPublicKey(verified.payload.agentJwk).kid).toBe(agent.keys.current().kid);
});

test("a request is for whole cores or blocks of what is in standby, and signed", async () => {
  const { agent } = await alone();
  const ask = (wish: object) => call("POST", "/v1/capacity/request", { forSeconds: 60, ...wish });
  const { requestJws } = (await ask({ resource: "cpu", quantity: 1000 })) as { requestJws: string };
  const keys = keyRing([agent.keys.current().publicJwk]);
  const typ = "sublet-capacity-request" as const;
  expect(verify({ jws: requestJws, typ, keys, schema: capacityRequestSchema })).toMatchObject({
    payload: { hostName: "bunker", resource: "cpu", quantity: 1000, forSeconds: 60 },
  });
  await expect(ask({ resource: "cpu", quantity: 500 })).rejects.toMatchObject({
    code: "capacity-not-whole",
  });
  await expect(ask({ resource: "cpu", quantity: 2000 })).rejects.toMatchObject({
    code: "standby-short",
  });
  await expect(ask({ resource: "disk", quantity: 1 })).rejects.toMatchObject({
    code: "invalid-input",
  });
});

test("a provider is pinned by its card, once asked; a later card adds keys by a pinned one's word", async () => {
  const { agent } = await alone();
  const [first, second, third] = [generateKey(), generateKey(), generateKey()];
  const providerId = newId("party");
  const tell = (cardJws: string, pin = true) =>
    call("POST", "/v1/capacity/providers", { cardJws, pin });
  const told = await tell(cardOf([first], first, providerId), false);
  expect(told).toMatchObject({ name: "acme", newKids: [first.kid] });
  const state = async () => ((await call("GET", "/v1/state")) as AgentState).providers;
  expect(await state()).toEqual([]);
  // As it comes out of a file or a mail.
  await tell(`${cardOf([first], first, providerId).replaceAll(".", ".\n")}\n`);
  expect(await tell(cardOf([first, second], first, providerId))).toMatchObject({
    kids: [first.kid, second.kid],
    newKids: [second.kid],
  });
  await expect(tell(cardOf([third], third, providerId))).rejects.toMatchObject({
    ...{
      code: "provider-key-unknown",
      message: expect.stringContaining("a key that it had before"),
    },
  });
  expect(await tell(cardOf([first], second, providerId))).toMatchObject({ newKids: [] });
  const kids = [first.kid, second.kid];
  expect(await state()).toEqual([{ providerId, name: "acme", isTrusted: true, kids }]);
  agent.db.close();
});

test("a card that its own keys did not sign, or that is cut off, is not pinned", async () => {
  const { agent } = await alone();
  const [key, other] = [generateKey(), generateKey()];
  const tell = (cardJws: string) => call("POST", "/v1/capacity/providers", { cardJws, pin: true });
  await expect(tell(cardOf([key], other))).rejects.toMatchObject({ code: "provider-key-unknown" });
  await expect(tell("abc")).rejects.toMatchObject({ code: "card-malformed" });
  const card = cardOf([key], key);
  const spoilt = card.slice(0, -3) + (card.endsWith("AAA") ? "BBB" : "AAA");
  await expect(tell(spoilt)).rejects.toMatchObject({ code: expect.stringMatching(/^card-/) });
  expect(agent.serverKeys.size).toBe(0);
});

test("a provider's card at the start is pinned, and a wrong one stops the start by name", async () => {
  const rig = createRig();
  const key = generateKey();
  const path = join(rig.folder, "acme.card");
  writeFileSync(path, cardOf([key], key));
  const agent = await rig.startAlone({ options: { providerCardJws: readFileSync(path, "utf8") } });
  socket = await listenLocally(agent);
  const { providers } = (await call("GET", "/v1/state")) as AgentState;
  expect(providers).toMatchObject([{ name: "acme", kids: [key.kid] }]);
  const wrong = { providerCardJws: cardOf([key], generateKey()) };
  await expect(createRig().startAlone({ options: wrong })).rejects.toMatchObject({
    code: "provider-card-refused",
  });
});

test("a new key for a host that providers know by its key is refused with the way out", async () => {
  const { agent } = await alone();
  const before = agent.keys.current().kid;
  await expect(call("POST", "/v1/key/rotate")).rejects.toMatchObject({ code: "unsupported" });
  expect(agent.keys.current().kid).toBe(before);
  cut(agent, "p1");
});
