import type { DatabaseSync } from "node:sqlite";
import type { Log } from "../process/log.ts";
import type { Clock } from "../unit/clock.ts";
import { newId } from "../unit/id.ts";
import { nameText } from "../unit/schema.ts";
import { AgentError } from "./agent-error.ts";
import { type HostName, ownKey, readAlone, readJoined, writeAlone } from "./identity/store.ts";

/**
 * Begins as a host without a server, once: with an id and a key of its own making. One data folder
 * is either this or a joined one, for good: its guests and its accounts hang on the id.
 */
export function beginAlone(
  db: DatabaseSync,
  { name }: { readonly name: string },
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): HostName {
  const joined = readJoined(db);
  if (joined !== null) {
    throw new AgentError(
      "host-is-joined",
      `this computer has joined the server at ${joined.serverUrl} as ${joined.hostName}; start it without --alone, or give another --data folder for a host without a server`,
    );
  }
  const before = readAlone(db);
  if (before !== null) return renamed(db, before, name);
  ownKey(db);
  const host = { hostId: newId("host", clock.now().getTime()), hostName: readName(name) };
  writeAlone(db, host);
  log.info({ ...host }, "a host without a server begins");
  return host;
}

/** For whoever would join with a folder that is alone, or starts it as before. */
export function refuseToJoin(db: DatabaseSync): void {
  const alone = readAlone(db);
  if (alone === null) return;
  throw new AgentError(
    "host-is-alone",
    `this data folder is that of ${alone.hostName}, which has no server; start it with --alone, or give another --data folder to join one`,
  );
}

function renamed(db: DatabaseSync, before: HostName, name: string): HostName {
  if (name === "" || name === before.hostName) return before;
  const host = { ...before, hostName: readName(name) };
  writeAlone(db, host);
  return host;
}

function readName(name: string): string {
  const parsed = nameText.safeParse(name);
  if (parsed.success) return parsed.data;
  if (name === "") {
    throw new AgentError("host-name-wrong", "say what this host is called with --name");
  }
  const why = parsed.error.issues[0]?.message ?? "it cannot be one";
  throw new AgentError(
    "host-name-wrong",
    `--name ${JSON.stringify(name)} is no host's name: ${why}`,
  );
}
