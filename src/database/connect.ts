import { CamelCasePlugin, Kysely, PostgresDialect } from "kysely";
import pg from "pg";
import { BACKOFF } from "../process/backoff.ts";
import { errorFields, isConnectionLost } from "./failure.ts";
import type { DatabaseLog } from "./log.ts";
import { retry } from "./retry.ts";
import type { DB } from "./types.ts";
import { valueTypes } from "./value-types.ts";

export interface ConnectOptions {
  readonly connection: DatabaseAddress;
  readonly log: DatabaseLog;
  /** Seen in pg_stat_activity. */
  readonly applicationName?: string;
  /** Most connections at once; the embedded server has 60 in all. */
  readonly poolMax?: number;
}

/** A DATABASE_URL, or what `startEmbeddedPostgres` returned. */
export type DatabaseAddress =
  | { readonly url: string }
  | {
      readonly host: string;
      readonly port: number;
      readonly user: string;
      readonly database: string;
    };

export interface Database {
  readonly kysely: Kysely<DB>;
  readonly pool: pg.Pool;
  /** For a connection of one's own, such as a listener's. */
  readonly clientConfig: pg.ClientConfig;
  readonly log: DatabaseLog;
  /** Waits for queries in progress. May be called twice. */
  close(): Promise<void>;
}

const POOL_MAX = 10;
const CONNECT_TIMEOUT_MS = 10_000;

/**
 * Opens a pool and returns when the database answers; waits about half a minute for one that is
 * still starting or recovering, and throws the last refusal after that.
 */
export async function connect(options: ConnectOptions): Promise<Database> {
  const clientConfig = toClientConfig(options);
  const pool = new pg.Pool({ ...clientConfig, max: options.poolMax ?? POOL_MAX });
  let closing: Promise<void> | undefined;
  const noteLoss = (error: Error) => {
    if (closing === undefined) options.log.warn(errorFields(error), "lost a database connection");
  };
  // The pool replaces an idle connection that broke; one in use tells its user at the next query.
  // Without a listener of its own, pg would end the process for the latter.
  pool.on("error", noteLoss);
  pool.on("connect", (client) => client.on("error", noteLoss));
  const kysely = new Kysely<DB>({
    dialect: new PostgresDialect({ pool }),
    // The same words in SQL and TypeScript, each in its own spelling.
    plugins: [new CamelCasePlugin({ maintainNestedObjectKeys: true })],
  });
  const close = () => {
    closing ??= kysely.destroy().then(() => (pool.ended ? undefined : pool.end()));
    return closing;
  };
  try {
    await retry(
      (error) => (isConnectionLost(error) ? BACKOFF.connect : undefined),
      () => pool.query("select 1"),
    );
  } catch (error) {
    await close();
    throw error;
  }
  return { kysely, pool, clientConfig, log: options.log, close };
}

function toClientConfig({ connection, applicationName }: ConnectOptions): pg.ClientConfig {
  const address =
    "url" in connection ? { connectionString: connection.url } : { ...connection, ssl: false };
  return {
    ...address,
    application_name: applicationName ?? "sublet",
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
    // Ranges come back as text with the session's offset: it must be UTC whatever the server's is.
    options: "-c TimeZone=UTC -c DateStyle=ISO -c IntervalStyle=iso_8601",
    types: valueTypes,
  };
}
