import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { AgentOptions } from "../../src/agent/config.ts";
import { type RunningAgent, runAgent } from "../../src/agent/main.ts";
import { createMemoryDriver, type MemoryDriver } from "../../src/partition/memory/driver.ts";
import { type LeaseId, newId } from "../../src/unit/id.ts";
import { MACHINE } from "../agent/harness.ts";
import { testLog } from "../setup/log.ts";
import { makeTempFolder } from "../setup/temp-folder.ts";
import { bookingOf, GIB, type Market, offerOf, openMarket } from "./fake-host.ts";
import { startTestServer, type TestServer } from "./harness.ts";

const soon = { timeout: 15_000, interval: 50 };
const folder = makeTempFolder("several-agents");
const runFolder = join(folder.path, "run");
const running: RunningAgent[] = [];
let server: TestServer;
let market: Market;
beforeAll(async () => {
  server = await startTestServer();
  market = await openMarket(server);
});
afterAll(async () => {
  for (const agent of running) await agent.stop();
  await server.stop();
  folder.remove();
});

interface Started {
  readonly agent: RunningAgent;
  readonly driver: MemoryDriver;
}

/** An agent with guests in memory on this computer, which has four cores and 16 GiB. */
async function startAgent(name: string, options: Partial<AgentOptions> = {}): Promise<Started> {
  const driver = createMemoryDriver();
  const log = { ...testLog, debug: testLog.info };
  const dataFolder = join(folder.path, name);
  const agent = await runAgent(
    { dataFolder, runFolder, memoryBytes: 8 * GIB, diskBytes: 50 * GIB, ...options },
    { driver, machine: MACHINE, log },
  );
  running.push(agent);
  return { agent, driver };
}

async function joinAs(name: string, cores: string): Promise<Started> {
  const { joinToken } = await market.lender.call("addHost", { body: { name } });
  return startAgent(name, { joinToken, cores });
}

async function lend(host: string): Promise<void> {
  const params = { host, name: "lend" };
  const size = { cpuMilli: 1000, memoryBytes: 2 * GIB, diskBytes: 2 * GIB };
  const body = { lendable: true, cpuMode: "dedicated", size } as const;
  await market.lender.call("setPartition", { params, body });
  // Cheaper than what the market opened with: these are booked first.
  await market.lender.call("setOffer", { params, body: offerOf({ priceMicrosPerCoreHour: "1" }) });
}

async function book(): Promise<LeaseId> {
  const leaseId = newId("lease");
  await market.client.call("bookLease", { params: { leaseId }, body: bookingOf() });
  return leaseId;
}

const isReady = (leaseIds: readonly LeaseId[]) => async () => {
  for (const leaseId of leaseIds) {
    const { lease } = await market.client.call("showLease", { params: { leaseId } });
    expect(lease.state).toBe("ready");
  }
};

test("two agents on one computer, with cores of their own, lend at once to one server", async () => {
  const left = await joinAs("left", "0-1");
  const right = await joinAs("right", "2-3");
  await lend("left");
  await lend("right");
  const leaseIds = [await book(), await book()];
  await vi.waitFor(isReady(leaseIds), soon);
  const hosts = await Promise.all(
    leaseIds.map(async (leaseId) => {
      const { lease } = await market.client.call("showLease", { params: { leaseId } });
      return lease.host.name;
    }),
  );
  expect(hosts.toSorted()).toEqual(["left", "right"]);
  const coresOf = ({ driver }: Started) => [...driver.guests.values()].flatMap((g) => g.spec.cores);
  expect([...coresOf(left), ...coresOf(right)].toSorted()).toEqual([
    expect.toBeOneOf([0, 1]),
    expect.toBeOneOf([2, 3]),
  ]);

  // One of them is gone: the other's guest and lease know nothing of it.
  await left.agent.stop();
  expect(right.agent.context.server?.connection.state).toBe("connected");
  await isReady(leaseIds)();
  expect([...left.driver.guests.values()][0]?.observation.state).toBe("running");
  expect([...right.driver.guests.values()][0]?.observation.state).toBe("running");
});

test("an agent that wants another's cores is refused, told whose they are and which are free", async () => {
  await expect(startAgent("greedy", { cores: "1-2" })).rejects.toMatchObject({
    code: "cores-taken",
    message: expect.stringMatching(/core 1 is lent by the agent of .*\/left .*guests go on/),
  });
  await expect(startAgent("late", { cores: "3" })).rejects.toMatchObject({
    code: "cores-taken",
    message: expect.stringContaining(`process ${process.pid}`),
  });
});

test("agents of one computer lend no more memory together than it has", async () => {
  const own = makeTempFolder("memory");
  const start = (name: string, cores: string, memoryBytes: number) =>
    startAgent(name, { runFolder: own.path, cores, memoryBytes });
  // None joins a market: that is refused later, and its place is its process's.
  const first = start("first", "0", 12 * GIB);
  await expect(first).rejects.toMatchObject({ code: "not-joined" });
  await expect(start("second", "1", 5 * GIB)).rejects.toMatchObject({
    code: "memory-taken",
    message: expect.stringContaining("lend 4GiB at the most"),
  });
  await expect(start("second", "1", 4 * GIB)).rejects.toMatchObject({ code: "not-joined" });
  own.remove();
});

test("the place of an agent that was killed is free again", async () => {
  const own = makeTempFolder("killed");
  const dead = join(own.path, "dead");
  const program = join(own.path, "agent.mjs");
  const module = new URL("../../src/agent/neighbour/store.ts", import.meta.url);
  writeFileSync(
    program,
    `import { takePlace } from ${JSON.stringify(module.pathname)};
     const share = { dataFolder: ${JSON.stringify(dead)}, cores: [0], memoryBytes: 1 };
     const machine = { cores: [0], memoryBytes: 2 };
     takePlace({ runFolder: ${JSON.stringify(own.path)}, share, machine, bootId: process.argv[2] });
     process.kill(process.pid, "SIGKILL");`,
  );
  const { systemClock } = await import("../../src/unit/clock.ts");
  const killed = spawnSync(process.execPath, [program, systemClock.bootId()]);
  expect(killed.signal).toBe("SIGKILL");
  await expect(startAgent("after", { runFolder: own.path, cores: "0" })).rejects.toMatchObject({
    code: "not-joined",
  });
  own.remove();
});

test("an agent whose host is removed loses its connection and is told why when it asks again", async () => {
  const own = makeTempFolder("removed");
  const { joinToken } = await market.lender.call("addHost", { body: { name: "third" } });
  const { agent } = await startAgent("third", { runFolder: own.path, joinToken });
  const state = () => agent.context.server?.connection.state;
  await vi.waitFor(() => expect(state()).toBe("connected"), soon);
  await market.lender.call("removeHost", { params: { host: "third" }, body: {} });
  await vi.waitFor(() => expect(state()).toBe("connecting"), soon);
  const asked = agent.context.server?.client.call("reportCapacity", {
    body: agent.context.capacity,
  });
  await expect(asked).rejects.toMatchObject({ code: "host-removed" });
  own.remove();
});
