import { spawnSync } from "node:child_process";
import { closeSync, ftruncateSync, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { EmbeddedPostgresError } from "./error.ts";
import { endOrphan } from "./orphan.ts";
import { processStart } from "./proc.ts";

export interface FolderLock {
  /** Handed to PostgreSQL too, so that the folder stays locked until its last process is gone. */
  readonly fd: number;
  release(): void;
}

/** An orphaned PostgreSQL gets this long to write its last checkpoint before it is given up on. */
const ORPHAN_WAIT_MS = 30_000;
const POLL_MS = 50;

/**
 * Takes the data folder for this process, or throws `data-folder-in-use` with the holder's pid.
 *
 * The lock is flock(2) on an open file description: the kernel drops it when the last process that
 * has the description is gone, so it is never stale, whatever was killed. Node has no flock, but a
 * description is shared with a child: the `flock` program locks ours and exits.
 */
export async function lockFolder(folder: string): Promise<FolderLock> {
  const path = join(folder, "lock");
  const fd = openSync(path, "a+", 0o600);
  try {
    const startedMs = performance.now();
    while (!tryLock(fd)) {
      const holder = readHolder(path);
      const waitedMs = performance.now() - startedMs;
      const isAlive = holder !== undefined && processStart(holder.pid) === holder.start;
      if (isAlive || waitedMs > ORPHAN_WAIT_MS) throw inUse(folder, holder?.pid);
      endOrphan(join(folder, "postgres"), waitedMs);
      await sleep(POLL_MS);
    }
    ftruncateSync(fd);
    writeSync(fd, JSON.stringify({ pid: process.pid, start: processStart(process.pid) }));
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  const release = () => {
    // While the next holder has not written its name yet, no wrong one is read.
    ftruncateSync(fd);
    closeSync(fd);
  };
  return { fd, release };
}

export function inUse(folder: string, pid: number | undefined): EmbeddedPostgresError {
  const holder = pid === undefined ? "another process" : `process ${pid}`;
  return new EmbeddedPostgresError(
    "data-folder-in-use",
    `The database folder ${folder} is in use by ${holder}: ` +
      "stop that process, or choose another data folder.",
  );
}

function tryLock(fd: number): boolean {
  const result = spawnSync("flock", ["--exclusive", "--nonblock", "3"], {
    stdio: ["ignore", "ignore", "pipe", fd],
    encoding: "utf8",
  });
  if (result.status === 0) return true;
  if (result.status === 1) return false;
  throw new EmbeddedPostgresError(
    "program-missing",
    "The program flock, which keeps two servers out of one data folder, does not run " +
      `(${result.error?.message ?? result.stderr.trim()}): run apt-get install util-linux.`,
  );
}

/** Undefined while a new holder is between locking and writing its name. */
function readHolder(path: string): { pid: number; start: string } | undefined {
  const text = readFileSync(path, "utf8");
  if (!text.endsWith("}")) return undefined;
  return JSON.parse(text) as { pid: number; start: string };
}
