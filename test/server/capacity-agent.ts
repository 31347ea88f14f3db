import { capacityOnce } from "../../src/agent/capacity/once.ts";
import { sendActsOnce } from "../../src/agent/capacity/send-acts.ts";
import type { JoinedContext } from "../../src/agent/context.ts";
import { readDesiredOnce } from "../../src/agent/desired.ts";
import { convergeOnce } from "../../src/agent/lease/converge.ts";
import { meterOnce } from "../../src/agent/metering.ts";
import { reportOnce } from "../../src/agent/reports.ts";
import { sendUsageOnce } from "../../src/agent/send-usage.ts";
import { startContext } from "../../src/agent/start.ts";
import { makeDataFolder, openState } from "../../src/agent/state/store.ts";
import { pinProvider } from "../../src/agent/trust/pin.ts";
import type { Client } from "../../src/api/client/client.ts";
import type { CapacityTerms } from "../../src/enablement/capacity/terms.ts";
import { createMemoryDriver } from "../../src/partition/memory/driver.ts";
import type { Clock } from "../../src/unit/clock.ts";
import { newId, type PartyId } from "../../src/unit/id.ts";
import { CORE, enabled, STANDBY } from "../agent/capacity.ts";
import { joinedOf, MACHINE } from "../agent/harness.ts";
import { begun } from "../agent/own.ts";
import { createClocks } from "../faults/market.ts";
import { testLog } from "../setup/log.ts";
import { makeTempFolder } from "../setup/temp-folder.ts";
import { TERMS } from "./capacity-market.ts";
import { startTestServer, type TestServer } from "./harness.ts";

export interface Vendor {
  readonly client: Client;
  readonly partyId: PartyId;
  readonly name: string;
}

/** A real server, and a real agent `h9` of it with standby; its guests are in memory. */
export interface CapacityWorld {
  readonly server: TestServer;
  readonly owner: Client;
  readonly agent: JoinedContext;
  /** A provider that the host trusts. */
  vendor(name: string, terms?: Partial<CapacityTerms>): Promise<Vendor>;
  /** Standby goes into the partition `one` by a code of this provider. */
  enableBy(vendor: Vendor): Promise<void>;
  pass(seconds: number): void;
  /** What agent and server do by themselves, with some seconds before each; tells what was refused. */
  rounds(count: number, seconds: number): Promise<readonly string[]>;
}

export async function openCapacityWorld(): Promise<CapacityWorld> {
  const clocks = createClocks();
  const server = await startTestServer(clocks.ofServer);
  const owner = await server.party("owner", ["lender"]);
  const agent = await startAgent(owner.client, clocks.ofAgent);
  const world: CapacityWorld = {
    ...{ server, agent, owner: owner.client, pass: clocks.pass },
    vendor: async (name, terms = {}) => {
      const { client, partyId } = await server.party(name, ["provider"]);
      const params = { resource: "cpu" } as const;
      await client.call("setCapacityTerms", { params, body: { ...TERMS, ...terms } });
      const trust = pinProvider(agent, (await client.call("showProviderCard")).cardJws);
      if (!trust.ok) throw new Error(trust.message);
      return { client, partyId: partyId as PartyId, name };
    },
    enableBy: async ({ client, name }) => {
      const wish = { host: HOST, provider: name, resource: "cpu", quantity: CORE } as const;
      const { requestId } = await owner.client.call("requestCapacity", {
        body: { requestId: newId("request"), ...wish, forSeconds: 86_400 },
      });
      const { code } = await client.call("issueCode", {
        body: { codeId: newId("code"), request: requestId, terms: {} },
      });
      await enabled(agent, { code: code.codeJws, partition: "one", quantity: CORE });
    },
    rounds: async (count, seconds) => {
      const refused: string[] = [];
      for (let i = 0; i < count; i++) {
        clocks.pass(seconds);
        await round(server, agent, refused);
      }
      return refused;
    },
  };
  const size = { cpuMilli: CORE, memoryBytes: 2 ** 30, diskBytes: 2 ** 30 };
  const params = { host: HOST, name: "one" };
  const body = { lendable: false, cpuMode: "dedicated", size } as const;
  await owner.client.call("setPartition", { params, body });
  await world.rounds(1, 1);
  await begun(agent, "one");
  await world.rounds(2, 1);
  return world;
}

const HOST = "h9";

async function startAgent(owner: Client, clock: Clock): Promise<JoinedContext> {
  const { joinToken } = await owner.call("addHost", { body: { name: HOST } });
  const dataFolder = makeTempFolder("capacity-agent").path;
  makeDataFolder(dataFolder);
  const { context } = await startContext({
    options: { dataFolder, joinToken, ...STANDBY },
    overrides: { driver: createMemoryDriver(), clock, machine: MACHINE },
    db: openState(dataFolder),
    log: { ...testLog, debug: testLog.info },
    makeDriver: () => Promise.reject(new Error("the test has its own")),
  });
  return joinedOf(context);
}

async function round(server: TestServer, agent: JoinedContext, refused: string[]): Promise<void> {
  const unlessRefused = async (work: () => Promise<unknown>) => {
    await work().catch((error: unknown) => {
      if (!(error instanceof Error)) throw error;
      refused.push(error.message);
    });
  };
  await server.pass();
  await agent.time.anchor(agent.server.client, agent.server.joined);
  await readDesiredOnce(agent);
  await convergeOnce(agent);
  await meterOnce(agent);
  await unlessRefused(() => reportOnce(agent));
  await capacityOnce(agent);
  await unlessRefused(() => sendActsOnce(agent));
  await unlessRefused(() => sendUsageOnce(agent));
}
