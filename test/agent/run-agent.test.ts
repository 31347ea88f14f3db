import { afterEach, expect, test, vi } from "vitest";
import { type RunningAgent, runAgent } from "../../src/agent/main.ts";
import { callAgent } from "../../src/agent/socket-client.ts";
import { systemClock } from "../../src/unit/clock.ts";
import { testLog } from "../setup/log.ts";
import { createRig, desireLease, leaseOf, MACHINE, type Rig } from "./harness.ts";
import { type HttpServer, serveHttp } from "./http-server.ts";

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});
const soon = { timeout: 8_000, interval: 20 };

test("over real connections: joins, hears hints, delivers, and stops with its guest running", async () => {
  const { rig, http, agent } = await running();
  await vi.waitFor(() => expect(http.sockets.size).toBe(1), soon);
  const grant = desireLease(rig.server, rig.server.grantOf({ seconds: 600 }));
  http.hint();
  await vi.waitFor(() => expect(rig.server.reportsOf("ready")).toHaveLength(1), soon);
  await agent.stop();
  expect(await agent.exit).toBe(0);
  expect(rig.driver.guests.get(grant.leaseId)?.observation.state).toBe("running");
  expect([...http.tokens].some((token) => token.startsWith("Bearer ey"))).toBe(true);
});

test("a second agent on one data folder is refused and told who holds it", async () => {
  const { rig } = await running();
  await expect(runAgent({ dataFolder: rig.folder }, overrides(rig))).rejects.toMatchObject({
    code: "data-folder-in-use",
    message: expect.stringContaining(`process ${process.pid}`),
  });
});

test("an agent that is started again finds its guest and goes on", async () => {
  const { rig, http, agent } = await running();
  const grant = desireLease(rig.server, rig.server.grantOf({ seconds: 600 }));
  http.hint();
  await vi.waitFor(() => expect(rig.server.reportsOf("ready")).toHaveLength(1), soon);
  await agent.stop();
  const again = await runAgent({ dataFolder: rig.folder }, overrides(rig));
  cleanups.push(again.stop);
  const state = await callAgent(again.socketPath, "GET", "/v1/state");
  expect(state).toMatchObject({ leases: [{ leaseId: grant.leaseId, stage: "ready" }] });
  const endJws = rig.server.signEnd(grant.leaseId);
  rig.server.desire({ leases: [leaseOf(rig.server, grant, endJws)] });
  await vi.waitFor(() => expect(rig.server.reportsOf("wiped")).toHaveLength(1), soon);
  expect(rig.driver.calls.filter((call) => call.startsWith("boot"))).toHaveLength(1);
});

test("a server that goes away and comes back is found again", async () => {
  const { rig, http } = await running();
  await vi.waitFor(() => expect(http.sockets.size).toBe(1), soon);
  await http.close();
  const back = await serveHttp(rig.server.client, Number(new URL(http.url).port));
  cleanups.push(back.close);
  await vi.waitFor(() => expect(back.sockets.size).toBe(1), soon);
});

test("an agent that has not joined and has no token says what to do", async () => {
  const rig = createRig();
  await expect(runAgent({ dataFolder: rig.folder }, overrides(rig))).rejects.toMatchObject({
    code: "not-joined",
  });
  // And leaves the folder to the next.
  await expect(runAgent({ dataFolder: rig.folder }, overrides(rig))).rejects.toMatchObject({
    code: "not-joined",
  });
});

function overrides({ driver }: Rig) {
  return { driver, machine: MACHINE, log: { ...testLog, debug: testLog.info } };
}

async function running(): Promise<{ rig: Rig; http: HttpServer; agent: RunningAgent }> {
  const rig = createRig({}, () => systemClock.now().getTime());
  const http = await serveHttp(rig.server.client);
  cleanups.push(http.close);
  const { joinToken } = rig.server;
  const agent = await runAgent(
    { dataFolder: rig.folder, joinToken, server: http.url },
    overrides(rig),
  );
  cleanups.push(agent.stop);
  return { rig, http, agent };
}
