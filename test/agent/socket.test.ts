import { statSync } from "node:fs";
import { afterEach, expect, test } from "vitest";
import type { AgentState } from "../../src/agent/show-state.ts";
import { type LocalSocket, listenLocally } from "../../src/agent/socket.ts";
import { callAgent } from "../../src/agent/socket-client.ts";
import { createRig, desireLease } from "./harness.ts";

let socket: LocalSocket | null = null;
afterEach(async () => {
  await socket?.close();
  socket = null;
});

test("the agent refuses to change a partition in use, on its own knowledge", async () => {
  const { rig, grant } = await delivered();
  rig.server.state.isAway = true;
  const size = { ...rig.server.size, cpuMilli: 2000 };
  await expect(resize("p1", size)).rejects.toMatchObject({
    ...{ code: "partition-in-use", httpStatus: 409 },
    about: { leaseId: grant.leaseId, until: grant.period.end },
    message: expect.stringContaining("wait for its end"),
  });
});

test("the agent sends whoever changes a free partition to its server", async () => {
  const { rig, agent } = await delivered();
  await rig.rounds(agent, 3, 20_000);
  await expect(resize("p1", rig.server.size)).rejects.toMatchObject({
    ...{ code: "managed-by-server", httpStatus: 409 },
    message: expect.stringContaining("sublet partition set"),
  });
});

test("a size that is none, a partition that is none and a path that is none are refused by name", async () => {
  const { rig } = await delivered();
  await expect(resize("p1", { cpuMilli: -1 })).rejects.toMatchObject({ code: "invalid-input" });
  await expect(resize("p1", "x".repeat(10_000))).rejects.toMatchObject({ code: "invalid-input" });
  await expect(resize("p9", rig.server.size)).rejects.toMatchObject({ code: "not-found" });
  await expect(callAgent(path(), "GET", "/v1/secrets")).rejects.toMatchObject({
    code: "route-not-found",
  });
});

test("the state tells what runs, what it has, and no secret; only the owner may ask", async () => {
  const { agent, grant } = await delivered();
  const state = (await callAgent(path(), "GET", "/v1/state")) as AgentState;
  expect(state.partitions).toMatchObject([{ name: "p1", inUse: { leaseId: grant.leaseId } }]);
  expect(state.leases).toMatchObject([{ stage: "ready", cores: [0] }]);
  expect(JSON.stringify(state)).not.toMatch(/PRIVATE|"d":/);
  expect(agent.host.hostName).toBe(state.host.name);
  expect(statSync(path()).mode & 0o777).toBe(0o600);
});

test("an agent that is not running is named as such", async () => {
  const call = callAgent("/nowhere/agent.sock", "GET", "/v1/state");
  await expect(call).rejects.toMatchObject({ code: "agent-not-running" });
});

async function delivered() {
  const rig = createRig();
  const agent = await rig.start();
  const grant = desireLease(rig.server);
  await rig.round(agent);
  socket = await listenLocally(agent);
  return { rig, agent, grant };
}

function resize(name: string, size: unknown): Promise<unknown> {
  return callAgent(path(), "PUT", `/v1/partitions/${name}/size`, size);
}

function path(): string {
  return socket?.path ?? "";
}

test("a new key is made at the socket, and stored when the server does not answer", async () => {
  const { rig } = await delivered();
  rig.server.state.isAway = true;
  const stored = (await callAgent(path(), "POST", "/v1/key/rotate")) as { kid: string };
  expect(stored).toMatchObject({ isInUse: false });
  rig.server.state.isAway = false;
  expect(await callAgent(path(), "POST", "/v1/key/rotate")).toEqual({
    kid: stored.kid,
    isInUse: true,
  });
  expect(rig.server.state.agentKey?.kid).toBe(stored.kid);
});
