import type { DatabaseSync } from "node:sqlite";
import type { Client } from "../api/client/client.ts";
import type { HostCapacity } from "../host/capacity.ts";
import type { PartitionDriver } from "../partition/driver.ts";
import type { Log } from "../process/log.ts";
import type { KeyRing } from "../signature/key.ts";
import type { Clock } from "../unit/clock.ts";
import type { AgentConfig } from "./config.ts";
import type { AgentKeys } from "./identity/keys.ts";
import { TRUSTS_NOBODY, type TrustedServer, trustServer } from "./identity/server-keys.ts";
import type { HostName, Joined } from "./identity/store.ts";
import { createServerTime, type ServerTime } from "./time/time.ts";
import { createTunnels, type Tunnels } from "./tunnel/tunnels.ts";
import { createTurns, type Turns } from "./turns.ts";

/** The server that this host has joined, and the way to it. */
export interface ServerLink {
  readonly joined: Joined;
  readonly client: Client;
  /** Set by the connection; shown, never relied upon. */
  readonly connection: { state: "connected" | "connecting"; since: string };
}

/**
 * What the passes that speak to the server work with. An agent alone has no link, so none of them
 * can be started for it.
 */
export interface JoinedContext extends AgentContext {
  readonly server: ServerLink;
}

/** All that the agent's passes work with. */
export interface AgentContext {
  readonly config: AgentConfig;
  readonly capacity: HostCapacity;
  readonly clock: Clock;
  readonly log: Log;
  readonly db: DatabaseSync;
  readonly driver: PartitionDriver;
  readonly keys: AgentKeys;
  readonly host: HostName;
  /** Null: this agent is alone, for good. */
  readonly server: ServerLink | null;
  /** Those that the agent believes, none when it is alone; a rotation of the server's key adds one. */
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
}

export interface ContextParts {
  readonly config: AgentConfig;
  readonly capacity: HostCapacity;
  readonly clock: Clock;
  readonly log: Log;
  readonly db: DatabaseSync;
  readonly driver: PartitionDriver;
  readonly keys: AgentKeys;
  readonly host: HostName;
  readonly joined: Joined | null;
  /** Makes the client, which asks `time` for the instants in its tokens. */
  readonly client: (joined: Joined, time: ServerTime) => Client;
}

export function createContext(parts: ContextParts): AgentContext {
  const { joined } = parts;
  const trusted = joined === null ? TRUSTS_NOBODY : trustServer(parts.db, joined, parts.log);
  const time = createServerTime(parts.db, parts.clock, trusted);
  return {
    config: parts.config,
    capacity: parts.capacity,
    clock: parts.clock,
    log: parts.log,
    db: parts.db,
    driver: parts.driver,
    keys: parts.keys,
    host: { hostId: parts.host.hostId, hostName: parts.host.hostName },
    server: joined && {
      joined,
      client: parts.client(joined, time),
      connection: { state: "connecting", since: parts.clock.now().toISOString() },
    },
    serverKeys: trusted.keys,
    learnServerKeys: trusted.learn,
    time,
    turns: createTurns(),
    tunnels: createTunnels(),
    fetching: new Map(),
    ended: new AbortController(),
  };
}

export function hasServer(context: AgentContext): context is JoinedContext {
  return context.server !== null;
}

/** The server's time as it is written into records and reports; of a host alone its wall clock. */
export function instantNow(context: AgentContext): string {
  return new Date(context.time.nowMs()).toISOString();
}
