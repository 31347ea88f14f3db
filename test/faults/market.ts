import type { JoinedContext } from "../../src/agent/context.ts";
import { readDesiredOnce } from "../../src/agent/desired.ts";
import { convergeOnce } from "../../src/agent/lease/converge.ts";
import { meterOnce } from "../../src/agent/metering.ts";
import { reportOnce } from "../../src/agent/reports.ts";
import { sendUsageOnce } from "../../src/agent/send-usage.ts";
import { startContext } from "../../src/agent/start.ts";
import { makeDataFolder, openState } from "../../src/agent/state/store.ts";
import { ApiError, UnreachableError } from "../../src/api/client/error.ts";
import type { BillDocument } from "../../src/billing/bill.ts";
import { verifyBill } from "../../src/billing/verify/verify-bill.ts";
import { createMemoryDriver, type MemoryDriver } from "../../src/partition/memory/driver.ts";
import { type Clock, type SourceClock, systemClock } from "../../src/unit/clock.ts";
import { type LeaseId, newId } from "../../src/unit/id.ts";
import { joinedOf, MACHINE } from "../agent/harness.ts";
import { exportOf } from "../server/exported.ts";
import { bookingOf, type Market, offerOf, openMarket } from "../server/fake-host.ts";
import { depositFor, startTestServer, type TestServer } from "../server/harness.ts";
import { testLog } from "../setup/log.ts";
import { makeTempFolder } from "../setup/temp-folder.ts";

/** Time passes for server and agent alike; each has a wall clock that can be set. */
export interface Clocks {
  pass(seconds: number): void;
  stepServer(ms: number): void;
  stepAgent(ms: number): void;
  readonly ofServer: SourceClock;
  readonly ofAgent: Clock;
}

export function createClocks(): Clocks {
  let aheadMs = 0;
  const steps = { server: 0, agent: 0 };
  const clockOf = (whose: keyof typeof steps): SourceClock => ({
    now: () => new Date(Date.now() + aheadMs + steps[whose]),
    monotonicNs: () => process.hrtime.bigint() + BigInt(aheadMs) * 1_000_000n,
    bootId: () => "boot",
    sinceBootMs: () => systemClock.sinceBootMs() + aheadMs,
  });
  return {
    pass: (seconds) => {
      aheadMs += seconds * 1000;
    },
    stepServer: (ms) => {
      steps.server += ms;
    },
    stepAgent: (ms) => {
      steps.agent += ms;
    },
    ofServer: clockOf("server"),
    ofAgent: clockOf("agent"),
  };
}

export interface FaultMarket extends Market {
  readonly agent: JoinedContext;
  readonly driver: MemoryDriver;
  readonly clocks: Clocks;
  /** Cut: the agent reaches nobody. */
  readonly line: { isCut: boolean };
  /** What server and agent do by themselves, with some seconds before each round. */
  rounds(count: number, seconds: number): Promise<void>;
  book(seconds: number, start?: string): Promise<LeaseId>;
  show(leaseId: LeaseId): ReturnType<typeof showLease>;
  extend(leaseId: LeaseId, seconds: number): Promise<unknown>;
  end(leaseId: LeaseId): Promise<unknown>;
  /** The lease's bill, which everybody can verify. */
  bill(leaseId: LeaseId): Promise<BillDocument>;
}

export interface FaultMarketOptions {
  readonly clocks?: Clocks;
  readonly serverClock?: Clock;
  /** The agent's; a test may fill its disk. */
  readonly dataFolder?: string;
}

const showLease = (client: Market["client"], leaseId: LeaseId) =>
  client.call("showLease", { params: { leaseId } });

/** A real server and a real agent `h2` with two partitions to lend; its guests are in memory. */
export async function openFaultMarket(options: FaultMarketOptions = {}): Promise<FaultMarket> {
  const clocks = options.clocks ?? createClocks();
  const server = await startTestServer(options.serverClock ?? clocks.ofServer);
  const market = await openMarket(server);
  const { lender, client } = market;
  await depositFor(server, "client", 90_000_000n);
  const { offers } = await lender.call("listOffers");
  for (const { offerId } of offers) await lender.call("withdrawOffer", { params: { offerId } });
  const driver = createMemoryDriver();
  const line = { isCut: false };
  const dataFolder = options.dataFolder ?? makeTempFolder("faults").path;
  const agent = await startAgent({ market, driver, clocks, line, dataFolder });
  for (const name of ["one", "two"]) {
    const params = { host: "h2", name };
    const size = { cpuMilli: 1000, memoryBytes: 2 ** 30, diskBytes: 2 ** 30 };
    const body = { lendable: true, cpuMode: "dedicated" as const, size };
    await lender.call("setPartition", { params, body });
    await lender.call("setOffer", { params, body: offerOf() });
  }
  const show = (leaseId: LeaseId) => showLease(client, leaseId);
  return {
    ...{ ...market, agent, driver, clocks, line, show },
    rounds: (count, seconds) => rounds({ server, agent, clocks }, count, seconds),
    book: async (seconds, start) => {
      const leaseId = newId("lease");
      const wish = { durationSeconds: seconds, ...(start === undefined ? {} : { start }) };
      await client.call("bookLease", { params: { leaseId }, body: bookingOf(wish) });
      return leaseId;
    },
    extend: (leaseId, seconds) => {
      const params = { leaseId, extensionId: newId("extension") };
      return client.call("extendLease", { params, body: { seconds } });
    },
    end: (leaseId) => client.call("endLease", { params: { leaseId } }),
    bill: async (leaseId) => {
      const { billId } = (await show(leaseId)).lease;
      if (billId === null) throw new Error(`${leaseId} has no bill`);
      const { exported, bill } = await exportOf(client, billId);
      const verified = verifyBill(exported, { trustedServerKeys: server.context.keys.all });
      if (!verified.verified) throw new Error(JSON.stringify(verified.findings));
      return bill;
    },
  };
}

async function startAgent(input: {
  readonly market: Market;
  readonly driver: MemoryDriver;
  readonly clocks: Clocks;
  readonly line: { isCut: boolean };
  readonly dataFolder: string;
}): Promise<JoinedContext> {
  const { market, driver, clocks, line, dataFolder } = input;
  const { joinToken } = await market.lender.call("addHost", { body: { name: "h2" } });
  makeDataFolder(dataFolder);
  const { context } = await startContext({
    options: { dataFolder, joinToken },
    overrides: { driver, clock: clocks.ofAgent, machine: MACHINE },
    db: openState(dataFolder),
    log: { ...testLog, debug: testLog.info },
    makeDriver: () => Promise.reject(new Error("the test has its own")),
  });
  const joined = joinedOf(context);
  const { client } = joined.server;
  const away = () => Promise.reject(new UnreachableError(client.url, new Error("the line is cut")));
  const cuttable: typeof client = {
    url: client.url,
    headers: () => client.headers(),
    call: (...input) => (line.isCut ? away() : client.call(...input)),
    fetch: (...input) => (line.isCut ? away() : client.fetch(...input)),
  };
  return { ...joined, server: { ...joined.server, client: cuttable } };
}

async function rounds(
  { server, agent, clocks }: { server: TestServer; agent: JoinedContext; clocks: Clocks },
  count: number,
  seconds: number,
): Promise<void> {
  for (let i = 0; i < count; i++) {
    clocks.pass(seconds);
    await server.pass();
    await unlessRefused(() => agent.time.anchor(agent.server.client, agent.server.joined));
    await unlessRefused(() => readDesiredOnce(agent));
    await convergeOnce(agent);
    await meterOnce(agent);
    await unlessRefused(() => reportOnce(agent));
    await unlessRefused(() => sendUsageOnce(agent));
    await convergeOnce(agent);
    await server.pass();
  }
}

/** What is refused, or reaches nobody, is kept and tried again in the next round. */
async function unlessRefused(work: () => Promise<unknown>): Promise<void> {
  await work().catch((error: unknown) => {
    if (!(error instanceof ApiError || error instanceof UnreachableError)) throw error;
  });
}
