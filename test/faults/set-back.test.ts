import { execFileSync } from "node:child_process";
import { renameSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { type RunningAgent, runAgent } from "../../src/agent/main.ts";
import { type Client, createClient } from "../../src/api/client/client.ts";
import { createMemoryDriver } from "../../src/partition/memory/driver.ts";
import { type LeaseId, newId } from "../../src/unit/id.ts";
import { MACHINE } from "../agent/harness.ts";
import { createDaemon, type Daemon } from "../guest/daemon.ts";
import { addTestImage, bookingOf, offerOf } from "../server/fake-host.ts";
import { codeOf, depositFor, type TestServer } from "../server/harness.ts";
import { testLog } from "../setup/log.ts";
import { makeTempFolder } from "../setup/temp-folder.ts";

/** A server as a process with its own PostgreSQL, and an agent with all its loops. */

const soon = { timeout: 45_000, interval: 200 };
const folder = makeTempFolder("set-back");
const driver = createMemoryDriver();
const dataFolder = join(folder.path, "server");
let daemon: Daemon;
let agent: RunningAgent;
let client: Client;
let lender: Client;

beforeAll(async () => {
  daemon = createDaemon(
    ["server", "--data", dataFolder, "--listen", "127.0.0.1:0"],
    join(folder.path, "server.log"),
  );
  const { url, operatorKey } = await daemon.start<{ url: string; operatorKey: string }>();
  // It comes back to the port that its agent and clients know.
  daemon = Object.assign(daemon, restartable(daemon, url));
  const as = (key: string) => createClient({ url, authorization: () => key });
  const operator = as(operatorKey);
  const server = { url, operator } as unknown as TestServer;
  const party = async (name: "client" | "lender") =>
    as((await operator.call("addParty", { body: { name, roles: [name] } })).key);
  client = await party("client");
  lender = await party("lender");
  await depositFor(server, "client", 90_000_000n);
  await addTestImage(server);
  const { joinToken } = await lender.call("addHost", { body: { name: "h1" } });
  agent = await runAgent(
    { dataFolder: join(folder.path, "agent"), joinToken, readingEveryMs: 300, recordEveryMs: 900 },
    { driver, machine: MACHINE, log: { ...testLog, debug: testLog.info } },
  );
  for (const name of ["one", "two", "three"]) {
    const params = { host: "h1", name };
    const size = { cpuMilli: 1000, memoryBytes: 2 ** 30, diskBytes: 2 ** 30 };
    const body = { lendable: true, cpuMode: "dedicated" as const, size };
    await lender.call("setPartition", { params, body });
    await lender.call("setOffer", { params, body: offerOf() });
  }
});
afterAll(async () => {
  await agent.stop();
  await daemon.stop();
  folder.remove();
});

function restartable({ start }: Daemon, url: string): Pick<Daemon, "start"> {
  const port = new URL(url).port;
  return { start: (...more) => start("--listen", `127.0.0.1:${port}`, ...more) };
}

/** With owners and modes, as a backup is. */
function copy(from: string, to: string): void {
  execFileSync("cp", ["--archive", from, to]);
}

/** What it announces itself with, or why it cannot start. */
async function start(): Promise<void> {
  expect(await daemon.start()).toMatchObject({ url: expect.any(String) });
}

const show = async (leaseId: LeaseId) =>
  (await client.call("showLease", { params: { leaseId } })).lease;

async function borrow(): Promise<LeaseId> {
  const leaseId = newId("lease");
  await client.call("bookLease", { params: { leaseId }, body: bookingOf() });
  await vi.waitFor(async () => expect((await show(leaseId)).state).toBe("ready"), soon);
  return leaseId;
}

test("a server that is started on an older database is told by its hosts what it has forgotten, and destroys nothing", async () => {
  const goesOn = await borrow();
  const ends = await borrow();
  const database = join(dataFolder, "database");
  await daemon.stop();
  copy(database, join(folder.path, "backup"));
  await start();

  const forgotten = await borrow();
  const params = { leaseId: goesOn, extensionId: newId("extension") };
  await client.call("extendLease", { params, body: { seconds: 3600 } });
  await client.call("endLease", { params: { leaseId: ends } });
  await vi.waitFor(async () => {
    expect((await show(goesOn)).extensions).toMatchObject([{ state: "in-force" }]);
    expect((await show(ends)).billId).not.toBeNull();
  }, soon);
  const before = { goesOn: await show(goesOn), ends: await show(ends) };
  const life = driver.guests.get(goesOn)?.observation.processId;

  await daemon.stop();
  renameSync(database, join(folder.path, "newer"));
  copy(join(folder.path, "backup"), database);
  await start();

  await vi.waitFor(async () => {
    const lease = await show(goesOn);
    expect(lease).toMatchObject({ state: "ready", access: before.goesOn.access });
    expect(lease).toMatchObject({ period: before.goesOn.period, quote: before.goesOn.quote });
    expect(await show(ends)).toMatchObject({ state: "ended", outcome: "ended-early" });
    expect((await show(ends)).billId).not.toBeNull();
  }, soon);
  // What it can never know goes on to its own end, and its lender reads of it.
  expect(await codeOf(client.call("showLease", { params: { leaseId: forgotten } }))).toBe(
    "not-found",
  );
  expect(driver.guests.get(forgotten)?.observation.state).toBe("running");
  expect(driver.guests.get(goesOn)?.observation).toMatchObject({
    ...{ state: "running", processId: life },
  });
  expect(driver.calls.filter((call) => call === `boot ${goesOn}`)).toHaveLength(1);
  await client.call("endLease", { params: { leaseId: goesOn } });
  await vi.waitFor(async () => expect((await show(goesOn)).billId).not.toBeNull(), soon);
  expect((await client.call("showAccount")).holdsMicros).toBe("0");
}, 180_000);
