import type { DatabaseSync } from "node:sqlite";
import type { AgentOptions } from "../../src/agent/config.ts";
import { type AgentContext, hasServer, type JoinedContext } from "../../src/agent/context.ts";
import { readDesiredOnce } from "../../src/agent/desired.ts";
import { convergeOnce } from "../../src/agent/lease/converge.ts";
import { meterOnce } from "../../src/agent/metering.ts";
import { reportOnce } from "../../src/agent/reports.ts";
import { sendUsageOnce } from "../../src/agent/send-usage.ts";
import { startContext } from "../../src/agent/start.ts";
import { makeDataFolder, openState } from "../../src/agent/state/store.ts";
import type { Client } from "../../src/api/client/client.ts";
import { ApiError, UnreachableError } from "../../src/api/client/error.ts";
import type { Grant } from "../../src/enablement/grant.ts";
import type { PartitionDriver } from "../../src/partition/driver.ts";
import { createMemoryDriver, type MemoryDriver } from "../../src/partition/memory/driver.ts";
import { testLog } from "../setup/log.ts";
import { makeTempFolder } from "../setup/temp-folder.ts";
import { createFakeClock, type FakeClock } from "./fake-clock.ts";
import { createFakeServer, type FakeServer, GIB } from "./fake-server.ts";

export interface StartOverrides {
  readonly driver?: PartitionDriver;
  readonly client?: Client;
  /** Beside those of the rig. */
  readonly options?: Partial<AgentOptions>;
  readonly onOpen?: (db: DatabaseSync) => void;
}

export interface Rig {
  readonly clock: FakeClock;
  readonly server: FakeServer;
  readonly driver: MemoryDriver;
  readonly folder: string;
  /** Another agent on the same computer and folder, as after a restart. */
  start(overrides?: StartOverrides): Promise<JoinedContext>;
  /** The same without a server, in the same folder. */
  startAlone(overrides?: StartOverrides): Promise<AgentContext>;
  /** One round of everything that the agent's loops do. */
  round(context: AgentContext): Promise<void>;
  /** Rounds, with `ms` passing before each. */
  rounds(context: AgentContext, count: number, ms: number): Promise<void>;
  /** Every guest has computed for so long, since its start. */
  burn(ns: bigint): void;
}

export const MACHINE = {
  cores: [0, 1, 2, 3],
  memoryBytes: 16 * GIB,
  memoryAvailableBytes: 16 * GIB,
  diskBytes: 100 * GIB,
  diskAvailableBytes: 100 * GIB,
  kernel: "6.1",
  cpuModel: "test",
};

/** A lease in the desired state, with its partition; of the grant as the test changes it. */
export function desireLease(server: FakeServer, grant = server.grantOf()): Grant {
  server.desire({
    partitions: [server.partition()],
    leases: [leaseOf(server, grant)],
  });
  return grant;
}

export function leaseOf(
  server: FakeServer,
  grant: Grant,
  endJws: string | null = null,
  extensionJws: string[] = [],
  sequence = 1,
  powerJws: string | null = null,
) {
  return {
    leaseId: grant.leaseId,
    partitionId: grant.partition.partitionId,
    grantJws: server.signGrant(grant),
    endJws,
    extensionJws,
    state: "ready" as const,
    sequence,
    powerJws,
  };
}

/** An agent of a test that has a server. */
export function joinedOf(context: AgentContext): JoinedContext {
  if (hasServer(context)) return context;
  throw new Error("this agent is alone");
}

/** An agent with a driver in memory, a server in memory, and clocks that only the test moves. */
export function createRig(options: Partial<AgentOptions> = {}, serverTimeMs?: () => number): Rig {
  const clock = createFakeClock();
  const startMs = clock.now().getTime();
  const startNs = clock.monotonicNs();
  let otherBootsMs = 0;
  const serverMs = () =>
    startMs + otherBootsMs + Number((clock.monotonicNs() - startNs) / 1_000_000n);
  const server = createFakeServer(serverTimeMs ?? serverMs);
  let burntNs = 0n;
  const driver = createMemoryDriver({ cpuNs: () => burntNs });
  const folder = makeTempFolder("agent").path;
  const reboot = clock.reboot;
  clock.reboot = () => {
    const before = serverMs();
    reboot();
    otherBootsMs += before - serverMs();
  };
  const open = async (
    by: Partial<AgentOptions>,
    { onOpen, options: more, ...overrides }: StartOverrides = {},
    client?: Client,
  ) => {
    makeDataFolder(folder);
    const db = openState(folder);
    // A test loses nothing by a power failure.
    db.exec("PRAGMA synchronous = OFF");
    onOpen?.(db);
    const reached = client === undefined ? {} : { client };
    const { context } = await startContext({
      options: { dataFolder: folder, ...by, ...options, ...more },
      overrides: { driver, clock, machine: MACHINE, ...reached, ...overrides },
      db,
      log: { ...testLog, debug: testLog.info },
      makeDriver: () => Promise.reject(new Error("the rig has its own")),
    });
    return context;
  };
  const rig: Rig = {
    ...{ clock, server, driver, folder },
    burn: (ns) => {
      burntNs += ns;
    },
    async start(overrides) {
      return joinedOf(await open({ joinToken: server.joinToken }, overrides, server.client));
    },
    startAlone: (overrides) => open({ alone: { name: "bunker" } }, overrides),
    async round(context) {
      const joined = hasServer(context) ? context : null;
      if (joined !== null) {
        const { client, joined: to } = joined.server;
        await unlessAway(() => joined.time.anchor(client, to));
        await unlessAway(async () => {
          await readDesiredOnce(joined);
        });
      }
      await convergeOnce(context);
      await meterOnce(context);
      if (joined !== null) {
        await unlessAway(() => reportOnce(joined));
        await unlessAway(() => sendUsageOnce(joined));
      }
      await convergeOnce(context);
    },
    async rounds(context, count, ms) {
      for (let i = 0; i < count; i++) {
        clock.pass(ms);
        await rig.round(context);
      }
    },
  };
  return rig;
}

async function unlessAway(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    const isElsewhere = error instanceof ApiError && error.code === "acts-first";
    if (!(error instanceof UnreachableError || isElsewhere)) throw error;
  }
}
