import { chmodSync, chownSync, mkdirSync, realpathSync, rmSync } from "node:fs";
import { join } from "node:path";
import { adminClient } from "./embedded/admin.ts";
import { findBinaries } from "./embedded/binaries.ts";
import { prepareCluster, SUPERUSER } from "./embedded/cluster.ts";
import { isErrno } from "./embedded/errno.ts";
import { EmbeddedPostgresError } from "./embedded/error.ts";
import { type EmbeddedMode, type Launcher, launchers, tryLauncher } from "./embedded/launcher.ts";
import { lockFolder } from "./embedded/lock.ts";
import { openLogFile } from "./embedded/log-file.ts";
import type { PostmasterPlan } from "./embedded/postmaster.ts";
import { SETTINGS } from "./embedded/settings.ts";
import { makeSocketFolder } from "./embedded/socket-folder.ts";
import { supervise } from "./embedded/supervisor.ts";
import type { DatabaseLog } from "./log.ts";

export interface EmbeddedOptions {
  /** Wholly ours; made when missing. */
  readonly dataFolder: string;
  readonly log: DatabaseLog;
  readonly mode?: EmbeddedMode;
  /** PostgreSQL settings over the ones in `embedded/settings.ts`. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Called once when PostgreSQL keeps dying and is not started again. */
  readonly onGaveUp?: (error: Error) => void;
}

export interface EmbeddedConnection {
  /** The folder of the unix socket. */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly database: string;
}

export interface EmbeddedPostgres {
  readonly connection: EmbeddedConnection;
  readonly mode: Launcher["mode"];
  /** Of PostgreSQL itself; another one after it has died and been started again. */
  readonly pid: number;
  /** Lets transactions in progress go, writes a checkpoint and ends. May be called twice. */
  stop(): Promise<void>;
}

/**
 * Starts PostgreSQL on a data folder and keeps it running until `stop`. It ends by itself when this
 * process dies. Throws EmbeddedPostgresError; `data-folder-in-use` names the process that holds it.
 */
export async function startEmbeddedPostgres(options: EmbeddedOptions): Promise<EmbeddedPostgres> {
  mkdirSync(options.dataFolder, { recursive: true, mode: 0o700 });
  const dataFolder = realpathSync(options.dataFolder);
  const lock = await lockFolder(dataFolder);
  const logFile = openLogFile(join(dataFolder, "postgres.log"));
  const release = () => {
    logFile.close();
    lock.release();
  };
  try {
    const binaries = findBinaries(join(dataFolder, "libraries"));
    const { launcher, socketFolder } = chooseLauncher(dataFolder, binaries, options.mode ?? "auto");
    const cluster = await prepareCluster(dataFolder, binaries, launcher, lock.fd);
    const plan: PostmasterPlan = {
      binaries,
      launcher,
      cluster,
      socketFolder,
      settings: { ...SETTINGS, ...options.settings },
      lockFd: lock.fd,
      logFile,
    };
    const supervisor = await supervise(plan, options.log, options.onGaveUp);
    const connection = { host: socketFolder, port: 5432, user: SUPERUSER, database: "sublet" };
    await createDatabase(connection).catch(async (error) => {
      await supervisor.stop();
      throw error;
    });
    options.log.info(
      { dataFolder, mode: launcher.mode, pid: supervisor.pid },
      "the embedded PostgreSQL is ready",
    );
    let stopping: Promise<void> | undefined;
    const stop = async () => {
      await supervisor.stop();
      if (!socketFolder.startsWith(dataFolder)) rmSync(socketFolder, { recursive: true });
      release();
    };
    return {
      connection,
      mode: launcher.mode,
      get pid() {
        return supervisor.pid;
      },
      stop: () => {
        stopping ??= stop();
        return stopping;
      },
    };
  } catch (error) {
    release();
    throw error;
  }
}

function chooseLauncher(
  dataFolder: string,
  binaries: ReturnType<typeof findBinaries>,
  mode: EmbeddedMode,
): { launcher: Launcher; socketFolder: string } {
  const reasons: string[] = [];
  for (const launcher of launchers(mode)) {
    if (process.getuid?.() === 0) chownSync(dataFolder, 0, launcher.gid);
    // The fallback's user enters by its group and can list nothing here.
    chmodSync(dataFolder, launcher.mode === "fallback" ? 0o710 : 0o700);
    const socketFolder = makeSocketFolder(dataFolder, launcher);
    const reason = tryLauncher(launcher, binaries, socketFolder);
    if (reason === undefined) return { launcher, socketFolder };
    reasons.push(reason);
  }
  throw new EmbeddedPostgresError(
    "cannot-start",
    `PostgreSQL cannot be run here (${reasons.join("; ")}): ` +
      "start Sublet as an ordinary user, or set DATABASE_URL.",
  );
}

async function createDatabase({ host, database }: EmbeddedConnection): Promise<void> {
  const client = adminClient(host);
  await client.connect();
  try {
    await client.query(`create database ${database}`);
  } catch (error) {
    const duplicateDatabase = "42P04";
    if (!isErrno(error, duplicateDatabase)) throw error;
  } finally {
    await client.end();
  }
}
