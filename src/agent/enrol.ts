import type { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { type Client, createClient } from "../api/client/client.ts";
import { ApiError, UnreachableError } from "../api/client/error.ts";
import type { HostCapacity } from "../host/capacity.ts";
import { type JoinToken, readJoinToken } from "../host/join-token.ts";
import { BACKOFF, backoffMs } from "../process/backoff.ts";
import type { Log } from "../process/log.ts";
import { importPublicKey } from "../signature/key.ts";
import { AgentError } from "./agent-error.ts";
import type { AgentConfig } from "./config.ts";
import { trustServer } from "./identity/server-keys.ts";
import { type Joined, ownKey, readJoined, writeJoined } from "./identity/store.ts";

export interface EnrolInput {
  readonly db: DatabaseSync;
  readonly config: AgentConfig;
  readonly capacity: HostCapacity;
  readonly log: Log;
  readonly client?: Client;
}

/**
 * Joins as a host, once. The agent's key is stored before the server hears of it, so that whatever
 * is interrupted can be repeated with the same token: the server knows the key again. A server
 * that does not answer is waited for.
 */
export async function enrol(input: EnrolInput): Promise<Joined> {
  const { db, config } = input;
  const token = config.joinToken === null ? null : parseToken(config.joinToken);
  const before = readJoined(db);
  if (before !== null) return checkSameServer(before, token, config);
  if (token === null) {
    throw new AgentError(
      "not-joined",
      "this computer has not joined a server yet; start the agent with --join and the token of `sublet host add`",
    );
  }
  const key = ownKey(db);
  const url = config.serverUrl ?? token.url;
  const client = input.client ?? createClient({ url });
  const answer = await untilAnswered(input.log, () =>
    client.call("enrolHost", {
      body: { secret: token.secret, publicJwk: key.publicJwk, capacity: input.capacity },
    }),
  );
  const pinned = answer.serverKeys.map(importPublicKey).filter((k) => k.kid === token.serverKid);
  if (answer.serverId !== token.serverId || pinned.length === 0) {
    throw new AgentError(
      "server-key-wrong",
      `what answers at ${url} is not the server that made this token; check the address, and who stands between`,
    );
  }
  const joined: Joined = {
    hostId: answer.hostId,
    hostName: answer.name,
    serverId: answer.serverId,
    serverUrl: url,
    serverKeys: pinned,
  };
  writeJoined(db, joined);
  // Only the token's key is vouched for; of others what it has let in since.
  trustServer(db, joined, input.log).learn(answer.successionJws);
  input.log.info({ hostId: joined.hostId, name: joined.hostName, server: url }, "joined");
  return readJoined(db) ?? joined;
}

function parseToken(text: string): JoinToken {
  const token = readJoinToken(text);
  if (token !== undefined) return token;
  throw new AgentError(
    "join-token-invalid",
    "this is not a join token, or not all of it; copy the whole text that `sublet host add` printed",
  );
}

function checkSameServer(before: Joined, token: JoinToken | null, config: AgentConfig): Joined {
  if (token !== null && token.serverId !== before.serverId) {
    throw new AgentError(
      "joined-elsewhere",
      `this computer has joined the server at ${before.serverUrl}; give another --data folder to join a second one`,
    );
  }
  return config.serverUrl === null ? before : { ...before, serverUrl: config.serverUrl };
}

async function untilAnswered<T>(log: Log, ask: () => Promise<T>): Promise<T> {
  for (let failures = 1; ; failures++) {
    try {
      return await ask();
    } catch (error) {
      const mayPass =
        error instanceof UnreachableError || (error instanceof ApiError && error.httpStatus >= 500);
      if (!mayPass) throw error;
      if (failures === 1) log.warn({ reason: error.message }, "waits for the server");
      await sleep(backoffMs(BACKOFF.enrol, failures));
    }
  }
}
