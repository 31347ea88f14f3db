import { spawn } from "node:child_process";
import * as fs from "node:fs";
import { join } from "node:path";
import type { Binaries } from "./binaries.ts";
import { EmbeddedPostgresError } from "./error.ts";
import type { Launcher } from "./launcher.ts";
import { inUse } from "./lock.ts";
import { livePostmaster } from "./orphan.ts";
import { cleanEnv } from "./settings.ts";

/** The major version that the package holds; its files are not readable by another. */
const MAJOR = "18";
export const SUPERUSER = "sublet";

/**
 * Makes sure that `<dataFolder>/postgres` is a whole cluster that nobody runs and that the
 * launcher's user owns. Call it under the folder's lock.
 */
export async function prepareCluster(
  dataFolder: string,
  binaries: Binaries,
  launcher: Launcher,
  lockFd: number,
): Promise<string> {
  const cluster = join(dataFolder, "postgres");
  if (fs.existsSync(cluster)) {
    checkVersion(cluster);
    clearPidFile(dataFolder, cluster);
    giveTo(cluster, launcher);
    return cluster;
  }
  // A cluster gets its name when it is whole: an initdb that was killed leaves only this folder.
  const initializing = join(dataFolder, "initializing");
  fs.rmSync(initializing, { recursive: true, force: true });
  fs.mkdirSync(initializing);
  fs.chownSync(initializing, launcher.mode === "fallback" ? 0 : launcher.uid, launcher.gid);
  fs.chmodSync(initializing, 0o770);
  const fresh = join(initializing, "postgres");
  await initdb(fresh, binaries, launcher, lockFd);
  giveTo(fresh, launcher);
  fs.renameSync(fresh, cluster);
  syncFolder(dataFolder);
  fs.rmSync(initializing, { recursive: true, force: true });
  return cluster;
}

async function initdb(folder: string, binaries: Binaries, launcher: Launcher, lockFd: number) {
  const [program = "", ...prefix] = launcher.initdb;
  const child = spawn(
    program,
    [
      ...[...prefix, binaries.initdb, "-D", folder, "-U", SUPERUSER],
      // The socket's folder decides who gets in. Nobody gets in by network.
      ...["--auth-local=trust", "--auth-host=reject", "--encoding=UTF8"],
      // Built in: sorting must not change with the machine's C library.
      "--locale=C",
      "--locale-provider=builtin",
      "--builtin-locale=C.UTF-8",
    ],
    { cwd: "/", env: cleanEnv(binaries), stdio: ["ignore", "pipe", "pipe", lockFd] },
  );
  let said = "";
  child.stdout?.setEncoding("utf8").on("data", (text) => {
    said += text;
  });
  child.stderr?.setEncoding("utf8").on("data", (text) => {
    said += text;
  });
  const { promise, resolve, reject } = Promise.withResolvers<number | null>();
  child.once("error", reject).once("close", resolve);
  const code = await promise;
  if (code === 0) return;
  throw new EmbeddedPostgresError(
    "initdb-failed",
    `PostgreSQL could not make its data folder ${folder}: ` +
      `${said.trim().slice(-1_000)}; mend that, or set DATABASE_URL.`,
  );
}

function checkVersion(cluster: string): void {
  const found = fs.readFileSync(join(cluster, "PG_VERSION"), "utf8").trim();
  if (found === MAJOR) return;
  throw new EmbeddedPostgresError(
    "data-folder-of-other-version",
    `The data in ${cluster} is of PostgreSQL ${found}, the embedded one is ${MAJOR}: ` +
      "restore a backup into a new data folder.",
  );
}

/**
 * PostgreSQL takes a left-over pid file for a live server when any process has that pid now. We
 * hold the lock that all its processes inherit, so none of ours lives; one started by hand might.
 */
function clearPidFile(dataFolder: string, cluster: string): void {
  const pid = livePostmaster(cluster);
  if (pid !== undefined) throw inUse(dataFolder, pid);
  fs.rmSync(join(cluster, "postmaster.pid"), { force: true });
}

/** The mode may differ from the last start's. The folder itself comes last: it marks the end. */
function giveTo(cluster: string, { uid, gid }: Launcher): void {
  if (fs.lstatSync(cluster).uid === uid) return;
  for (const name of fs.readdirSync(cluster, { recursive: true, encoding: "utf8" })) {
    fs.lchownSync(join(cluster, name), uid, gid);
  }
  fs.lchownSync(cluster, uid, gid);
}

function syncFolder(folder: string): void {
  const fd = fs.openSync(folder, "r");
  fs.fsyncSync(fd);
  fs.closeSync(fd);
}
