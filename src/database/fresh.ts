import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, type Database } from "./connect.ts";
import { type EmbeddedConnection, startEmbeddedPostgres } from "./embedded.ts";
import type { DatabaseLog } from "./log.ts";
import { migrate } from "./migrate.ts";

/** Gives `work` a migrated, empty database that is gone afterwards; takes about a second. */
export async function withFreshDatabase<T>(
  work: (db: Database, connection: EmbeddedConnection) => Promise<T>,
): Promise<T> {
  const dataFolder = mkdtempSync(join(tmpdir(), "sublet-fresh-"));
  try {
    const server = await startEmbeddedPostgres({ dataFolder, log, settings: { fsync: "off" } });
    try {
      const db = await connect({ connection: server.connection, log });
      try {
        await migrate(db);
        return await work(db, server.connection);
      } finally {
        await db.close();
      }
    } finally {
      await server.stop();
    }
  } finally {
    rmSync(dataFolder, { recursive: true, force: true });
  }
}

/** Only what went wrong is of interest here. */
const log: DatabaseLog = {
  info: () => undefined,
  warn: (fields, message) => process.emitWarning(message, { detail: JSON.stringify(fields) }),
  error: (fields, message) => process.emitWarning(message, { detail: JSON.stringify(fields) }),
};
