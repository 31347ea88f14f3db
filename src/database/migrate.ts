import type pg from "pg";
import type { Database } from "./connect.ts";
import { MigrationError } from "./migration-error.ts";
import { type MigrationFile, readMigrations } from "./migration-files.ts";

export interface MigrateOptions {
  /** Holds NNNN_name.sql, numbered from 0001 without gaps. */
  readonly folder?: string | URL;
}

/** Any number that no other program uses on this database. */
const ADVISORY_LOCK = "7239105846";
/** Another server may be migrating; beyond this it hangs, and a person should look. */
const LOCK_WAIT = "10min";
const OLDEST_SERVER = 150_000;

const FOLDER = new URL("./migrations/", import.meta.url);

/** The migrations that this program knows, by name, in their order. */
export function knownMigrations(): string[] {
  return readMigrations(FOLDER).map(({ name }) => name);
}

/**
 * Brings the database's schema up to this program's, and returns the names of the migrations that
 * this call applied. Each is one transaction. Several servers may call it at once: one does the
 * work. Throws MigrationError when the database is older, newer or other than this program knows.
 */
export async function migrate(
  db: Pick<Database, "pool" | "log">,
  options: MigrateOptions = {},
): Promise<string[]> {
  const files = readMigrations(options.folder ?? FOLDER);
  // One session from lock to unlock: an advisory lock belongs to the session that took it.
  const client = await db.pool.connect();
  try {
    await checkServer(client);
    await client.query(`set lock_timeout = '${LOCK_WAIT}'`);
    await client.query(`select pg_advisory_lock(${ADVISORY_LOCK})`);
    await client.query("reset lock_timeout");
    return await applyMissing(client, files, db.log);
  } finally {
    // Closing the session gives the lock back even when its state is unknown.
    client.release(true);
  }
}

async function checkServer(client: pg.PoolClient): Promise<void> {
  const found = await client.query<{ number: number; version: string }>(
    `select current_setting('server_version_num')::int as number,
            current_setting('server_version') as version`,
  );
  const server = found.rows[0];
  if (server !== undefined && server.number >= OLDEST_SERVER) return;
  throw new MigrationError(
    "server-too-old",
    `The database server is PostgreSQL ${server?.version}; Sublet needs 15 or newer: ` +
      "upgrade it, or leave DATABASE_URL unset to use the embedded one.",
  );
}

async function applyMissing(
  client: pg.PoolClient,
  files: readonly MigrationFile[],
  log: Database["log"],
): Promise<string[]> {
  await client.query(
    `create table if not exists migration (
       number integer primary key,
       name text not null unique,
       sha256 text not null,
       applied_at timestamptz not null default now()
     )`,
  );
  const found = await client.query<Recorded>(
    "select number, name, sha256 from migration order by number",
  );
  checkRecorded(found.rows, files);
  const missing = files.slice(found.rows.length);
  for (const file of missing) {
    await applyOne(client, file);
    log.info({ migration: file.name }, "applied a migration");
  }
  return missing.map((file) => file.name);
}

function checkRecorded(recorded: readonly Recorded[], files: readonly MigrationFile[]): void {
  for (const [index, row] of recorded.entries()) {
    const file = files[index];
    if (file === undefined) {
      throw new MigrationError(
        "database-newer",
        `The database has the migration ${row.name}, which this version of Sublet does not know: ` +
          "upgrade this server.",
      );
    }
    if (file.number !== row.number || file.name !== row.name || file.sha256 !== row.sha256) {
      throw new MigrationError(
        "migration-altered",
        `The migration ${row.name} was applied with other content than this version has in ` +
          `${file.name}. Applied migrations are frozen: put the file back and add a new one.`,
      );
    }
  }
}

async function applyOne(client: pg.PoolClient, file: MigrationFile): Promise<void> {
  try {
    await client.query("begin");
    await client.query(file.sql);
    await client.query("insert into migration (number, name, sha256) values ($1, $2, $3)", [
      file.number,
      file.name,
      file.sha256,
    ]);
    await client.query("commit");
  } catch (cause) {
    // The caller closes the session, which rolls back.
    const said = cause instanceof Error ? cause.message : String(cause);
    throw new MigrationError(
      "migration-failed",
      `The migration ${file.name} failed and was undone${lineOf(cause, file.sql)}: ${said}`,
      { cause },
    );
  }
}

function lineOf(cause: unknown, sql: string): string {
  if (!(cause instanceof Error && "position" in cause)) return "";
  return ` (line ${sql.slice(0, Number(cause.position)).split("\n").length})`;
}

interface Recorded {
  readonly number: number;
  readonly name: string;
  readonly sha256: string;
}
