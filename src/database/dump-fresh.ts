import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "./connect.ts";
import { dumpSchema } from "./dump.ts";
import { startEmbeddedPostgres } from "./embedded.ts";
import type { DatabaseLog } from "./log.ts";
import { migrate } from "./migrate.ts";

/** The dump of what the migrations make in an empty database; takes about a second. */
export async function dumpFreshSchema(): Promise<string> {
  const dataFolder = mkdtempSync(join(tmpdir(), "sublet-dump-"));
  try {
    const server = await startEmbeddedPostgres({ dataFolder, log, settings: { fsync: "off" } });
    try {
      const db = await connect({ connection: server.connection, log });
      try {
        await migrate(db);
        return await dumpSchema(db);
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
