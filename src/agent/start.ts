import type { DatabaseSync } from "node:sqlite";
import { type Client, createClient } from "../api/client/client.ts";
import type { HostCapacity } from "../host/capacity.ts";
import type { DriverFacts, PartitionDriver } from "../partition/driver.ts";
import type { Log } from "../process/log.ts";
import { type Clock, systemClock } from "../unit/clock.ts";
import { refuseOvercut, refuseTakenStandby } from "./allocation/refuse-less.ts";
import { beginAlone, refuseToJoin } from "./alone.ts";
import { type AgentConfig, type AgentOptions, configFrom, type Lent, lentFrom } from "./config.ts";
import { type AgentContext, createContext } from "./context.ts";
import { enrol } from "./enrol.ts";
import { createAgentKeys } from "./identity/keys.ts";
import { type HostName, type Joined, readLentBefore, writeLent } from "./identity/store.ts";
import { type Machine, readMachine } from "./machine.ts";
import { type Place, takePlace } from "./neighbour/store.ts";
import type { ServerTime } from "./time/time.ts";
import { createTokens } from "./token.ts";
import { trustAtStart } from "./trust/pin.ts";

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
  /** What it shows its server; null: it is alone. */
  readonly token: (() => string) | null;
  /** Among the agents of this computer; null when it does not look for them. */
  readonly place: Place | null;
}

/** From the options to a context that can work. What cannot be is refused here, by name. */
export async function startContext(input: StartInput): Promise<Started> {
  const { options, overrides, db, log } = input;
  const config = configFrom(options);
  const machine = overrides.machine ?? readMachine(config.dataFolder);
  const keys = createAgentKeys(db);
  const lent = lentFrom(options, machine, readLentBefore(db));
  const clock = overrides.clock ?? systemClock;
  refuseTakenStandby(db, lent);
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
    standby: lent.standby,
    facts: factsOf(driver, facts, machine, lent),
  };
  const { host, joined } = await nameHost(input, { config, capacity, clock });
  const tokens = (to: Joined, time: ServerTime) => createTokens(keys.current, to, time.nowMs);
  const client = (to: Joined, time: ServerTime) =>
    overrides.client ?? createClient({ url: to.serverUrl, authorization: tokens(to, time) });
  const context = createContext({
    ...{ config, capacity, clock, log, db, driver, keys },
    ...{ host, joined, client },
  });
  if (options.providerCardJws !== undefined) trustAtStart(context, options.providerCardJws);
  return { context, token: joined && tokens(joined, context.time), place };
}

/** Who this host is: by its server, which is waited for, or by itself. */
async function nameHost(
  { options, overrides, db, log }: StartInput,
  known: {
    readonly config: AgentConfig;
    readonly capacity: HostCapacity;
    readonly clock: Clock;
  },
): Promise<{ readonly host: HostName; readonly joined: Joined | null }> {
  if (options.alone === undefined) {
    refuseToJoin(db);
    const { client } = overrides;
    const { config, capacity } = known;
    const joined = await enrol({ db, config, capacity, log, ...(client ? { client } : {}) });
    return { host: joined, joined };
  }
  const host = beginAlone(db, options.alone, { clock: known.clock, log });
  refuseOvercut(db, known.capacity.base);
  return { host, joined: null };
}

function factsOf(
  driver: PartitionDriver,
  facts: DriverFacts,
  machine: Machine,
  { cores, standbyCores }: Lent,
): HostCapacity["facts"] {
  return {
    accelerator: facts.accelerator,
    acceleratorReason: facts.acceleratorReason,
    driver: driver.name,
    driverVersion: facts.version,
    kernel: machine.kernel,
    cores: [...cores],
    standbyCores: [...standbyCores],
    cpuModel: machine.cpuModel,
    sharedCpu: facts.sharedCpu,
    memoryLimit: facts.memoryLimit,
    controlGroupsReason: facts.controlGroupsReason,
    internet: facts.internet,
    internetReason: facts.internetReason,
  };
}
