import { mkdir } from "node:fs/promises";
import type { Logger } from "pino";
import { buildApp } from "../api/app.ts";
import { connect, type Database } from "../database/connect.ts";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "../database/embedded.ts";
import { migrate } from "../database/migrate.ts";
import { createLog } from "../process/log.ts";
import { type BuiltContext, buildContext } from "./build-context.ts";
import { type ServerConfig, type ServerOptions, toServerConfig } from "./config.ts";
import { startServing } from "./serving.ts";

export interface RunningServer {
  readonly url: string;
  /** Made at the very first start, or asked for; kept nowhere. */
  readonly operatorKey: string | null;
  /** Lets requests finish, ends streams, then the database. Leases go on. */
  stop(): Promise<void>;
  /** Resolves with 1 when the server cannot go on; its log says why. */
  readonly exit: Promise<number>;
}

/** Starts the management server; returns when it answers. */
export async function runServer(options: ServerOptions): Promise<RunningServer> {
  const config = toServerConfig(options);
  const log = createLog(config.logFormat, config.logLevel);
  await mkdir(config.dataFolder, { recursive: true, mode: 0o700 });
  const { promise: exit, resolve } = Promise.withResolvers<number>();
  const fail = (error: Error) => {
    log.fatal({ err: error }, "the server cannot go on");
    resolve(1);
  };
  const undo: (() => Promise<void>)[] = [];
  const stop = async () => {
    for (let step = undo.pop(); step; step = undo.pop()) await step();
  };
  try {
    const database = await openDatabase(config, log, fail);
    undo.push(() => database.stop());
    const built: BuiltContext = await buildContext(config, database.database, log);
    const app = await buildApp(built.context);
    const serving = await startServing(app, built, config);
    undo.push(() => serving.stop());
    return { url: built.context.publicUrl(), operatorKey: built.operatorKey, stop, exit };
  } catch (error) {
    await stop();
    throw error;
  }
}

interface OpenDatabase {
  readonly database: Database;
  stop(): Promise<void>;
}

async function openDatabase(
  config: ServerConfig,
  log: Logger,
  fail: (error: Error) => void,
): Promise<OpenDatabase> {
  let embedded: EmbeddedPostgres | undefined;
  if (config.databaseUrl === undefined) {
    embedded = await startEmbeddedPostgres({
      dataFolder: config.databaseFolder,
      log,
      onGaveUp: fail,
    });
  }
  try {
    const connection = embedded?.connection ?? { url: config.databaseUrl ?? "" };
    const database = await connect({ connection, log, applicationName: "sublet server" });
    const stop = async () => {
      await database.close();
      await embedded?.stop();
    };
    try {
      const applied = await migrate(database);
      if (applied.length > 0) log.info({ applied }, "migrated the database");
    } catch (error) {
      await database.close();
      throw error;
    }
    return { database, stop };
  } catch (error) {
    await embedded?.stop();
    throw error;
  }
}
