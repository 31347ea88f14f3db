import type { DatabaseSync } from "node:sqlite";
import type { Client } from "../api/client/client.ts";
import type { HostCapacity } from "../host/capacity.ts";
import type { PartitionDriver } from "../partition/driver.ts";
import type { Log } from "../process/log.ts";
import type { KeyRing } from "../signature/key.ts";
import type { Clock } from "../unit/clock.ts";
import type { AgentConfig } from "./config.ts";
import type { AgentKeys } from "./identity/keys.ts";
import { type TrustedServer, trustServer } from "./identity/server-keys.ts";
import type { Joined } from "./identity/store.ts";
import { createServerTime, type ServerTime } from "./time/time.ts";
import { createTunnels, type Tunnels } from "./tunnel/tunnels.ts";
import { createTurns, type Turns } from "./turns.ts";

/** All that the agent's passes work with, once the host has joined. */
export interface AgentContext {
  readonly config: AgentConfig;
  readonly capacity: HostCapacity;
  readonly clock: Clock;
  readonly log: Log;
  readonly db: DatabaseSync;
  readonly driver: PartitionDriver;
  readonly client: Client;
  readonly keys: AgentKeys;
  readonly joined: Joined;
  /** Those that the agent believes; a rotation of the server's key adds one. */
  readonly serverKeys: KeyRing;
  readonly learnServerKeys: TrustedServer["learn"];
  readonly time: ServerTime;
  readonly turns: Turns;
  /** Ways into guests through the server. */
  readonly tunnels: Tunnels;
  /** Downloads under way, by digest. */
  readonly fetching: Map<string, Promise<void>>;
  /** Aborted when the agent stops: what waits for the network need not. */
  readonly ended: AbortController;
  /** Set by the connection; shown, never relied upon. */
  readonly connection: { state: "connected" | "connecting"; since: string };
}

export interface ContextParts {
  readonly config: AgentConfig;
  readonly capacity: HostCapacity;
  readonly clock: Clock;
  readonly log: Log;
  readonly db: DatabaseSync;
  readonly driver: PartitionDriver;
  readonly keys: AgentKeys;
  readonly joined: Joined;
  /** Makes the client, which asks `time` for the instants in its tokens. */
  readonly client: (time: ServerTime) => Client;
}

export function createContext(parts: ContextParts): AgentContext {
  const server = trustServer(parts.db, parts.joined, parts.log);
  const time = createServerTime(parts.db, parts.clock, server);
  return {
    config: parts.config,
    capacity: parts.capacity,
    clock: parts.clock,
    log: parts.log,
    db: parts.db,
    driver: parts.driver,
    keys: parts.keys,
    joined: parts.joined,
    serverKeys: server.keys,
    learnServerKeys: server.learn,
    client: parts.client(time),
    time,
    turns: createTurns(),
    tunnels: createTunnels(),
    fetching: new Map(),
    ended: new AbortController(),
    connection: { state: "connecting", since: parts.clock.now().toISOString() },
  };
}

/** The server's time as it is written into records and reports. */
export function instantNow(context: AgentContext): string {
  return new Date(context.time.nowMs()).toISOString();
}
