import type { DatabaseSync } from "node:sqlite";
import { type Client, createClient } from "../api/client/client.ts";
import type { HostCapacity } from "../host/capacity.ts";
import type { DriverFacts, PartitionDriver } from "../partition/driver.ts";
import type { Log } from "../process/log.ts";
import { type Clock, systemClock } from "../unit/clock.ts";
import { type AgentConfig, type AgentOptions, configFrom, lentFrom } from "./config.ts";
import { type AgentContext, createContext } from "./context.ts";
import { enrol } from "./enrol.ts";
import { createAgentKeys } from "./identity/keys.ts";
import { readLentBefore, writeLent } from "./identity/store.ts";
import { type Machine, readMachine } from "./machine.ts";
import { type Place, takePlace } from "./neighbour/store.ts";
import type { ServerTime } from "./time/time.ts";
import { createTokens } from "./token.ts";

/** What tests put in the place of the real thing; there is no other seam. */
export interface AgentOverrides {
  readonly driver?: PartitionDriver;
  readonly clock?: Clock;
  readonly client?: Client;
  readonly machine?: Machine;
  readonly log?: Log;
}

export interface StartInput {
  readonly options: AgentOptions;
  readonly overrides: AgentOverrides;
  readonly db: DatabaseSync;
  readonly log: Log;
  readonly makeDriver: (config: AgentConfig) => Promise<PartitionDriver>;
}

export interface Started {
  readonly context: AgentContext;
  readonly token: () => string;
  /** Among the agents of this computer; null when it does not look for them. */
  readonly place: Place | null;
}

/** From the options to a context that has joined. What cannot be is refused here, by name. */
export async function startContext(input: StartInput): Promise<Started> {
  const { options, overrides, db, log } = input;
  const config = configFrom(options);
  const machine = overrides.machine ?? readMachine(config.dataFolder);
  const keys = createAgentKeys(db);
  const lent = lentFrom(options, machine, readLentBefore(db));
  const clock = overrides.clock ?? systemClock;
  const { dataFolder } = config;
  const share = { dataFolder, cores: lent.cores, memoryBytes: lent.told.memoryBytes };
  const { runFolder } = options;
  const place =
    runFolder === undefined
      ? null
      : takePlace({ runFolder, share, machine, bootId: clock.bootId() });
  writeLent(db, lent.told);
  const driver = overrides.driver ?? (await input.makeDriver(config));
  const facts = await driver.probe();
  const capacity: HostCapacity = {
    architecture: facts.architecture,
    reserve: lent.reserve,
    base: lent.base,
    facts: factsOf(driver, facts, machine, lent.cores),
  };
  const joined = await enrol({
    ...{ db, config, capacity, log },
    ...(overrides.client === undefined ? {} : { client: overrides.client }),
  });
  const tokens = (time: ServerTime) => createTokens(keys.current, joined, time.nowMs);
  const client = (time: ServerTime) =>
    overrides.client ?? createClient({ url: joined.serverUrl, authorization: tokens(time) });
  const context = createContext({
    ...{ config, capacity, clock, log, db, driver, keys },
    joined,
    client,
  });
  return { context, token: tokens(context.time), place };
}

function factsOf(
  driver: PartitionDriver,
  facts: DriverFacts,
  machine: Machine,
  cores: readonly number[],
): HostCapacity["facts"] {
  return {
    accelerator: facts.accelerator,
    acceleratorReason: facts.acceleratorReason,
    driver: driver.name,
    driverVersion: facts.version,
    kernel: machine.kernel,
    cores: [...cores],
    cpuModel: machine.cpuModel,
    sharedCpu: facts.sharedCpu,
    memoryLimit: facts.memoryLimit,
    controlGroupsReason: facts.controlGroupsReason,
    internet: facts.internet,
    internetReason: facts.internetReason,
  };
}
