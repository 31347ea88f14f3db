import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import { createSpool } from "../../meter/spool.ts";
import { inTransaction } from "../../meter/transaction.ts";
import { AgentError } from "../agent-error.ts";
import { createRoom } from "./room.ts";
import { SCHEMA_STEPS } from "./schema.ts";

/** Secrets are in it: the agent's key, guests' host keys, and the guests' own files beside it. */
export function makeDataFolder(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
}

/** Opens `agent.db`, all that the agent must not forget, and brings it to this version's schema. */
export function openState(folder: string): DatabaseSync {
  const db = new DatabaseSync(join(folder, "agent.db"));
  db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON");
  db.exec("PRAGMA secure_delete = ON");
  inTransaction(db, () => {
    const { user_version: version } = versionRow.parse(db.prepare("PRAGMA user_version").get());
    if (version > SCHEMA_STEPS.length) {
      throw new AgentError(
        "data-from-newer-version",
        `${folder} was written by a newer version of sublet; start that version`,
      );
    }
    for (const step of SCHEMA_STEPS.slice(version)) db.exec(step);
    db.exec(`PRAGMA user_version = ${SCHEMA_STEPS.length}`);
    createSpool(db);
  });
  createRoom(db);
  forgetErased(db);
  return db;
}

/**
 * What was erased is overwritten in the database, but stands in its log until that is emptied: the
 * private host key of a guest that is wiped, for one.
 */
export function forgetErased(db: DatabaseSync): void {
  db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
}

const versionRow = z.object({ user_version: z.number() });
