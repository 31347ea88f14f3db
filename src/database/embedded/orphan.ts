import { readFileSync } from "node:fs";
import { join } from "node:path";
import { isErrno } from "./errno.ts";
import { processFolder } from "./proc.ts";

/** After this an orphan is not asked for a checkpoint any more: recovery does the same work. */
const FAST_SHUTDOWN_MS = 10_000;

/**
 * The live postmaster of a cluster, by its own pid file. A pid that belongs to something else now
 * does not count: a postmaster works in its cluster's folder.
 */
export function livePostmaster(cluster: string): number | undefined {
  const pid = recordedPid(cluster);
  return pid !== undefined && processFolder(pid) === cluster ? pid : undefined;
}

/**
 * Ends a postmaster whose supervisor is dead. It was told by the kernel already, except when the
 * supervisor died in the instant between starting it and its asking to be told.
 */
export function endOrphan(cluster: string, waitedMs: number): void {
  const pid = livePostmaster(cluster);
  if (pid === undefined) return;
  try {
    process.kill(pid, waitedMs < FAST_SHUTDOWN_MS ? "SIGINT" : "SIGQUIT");
  } catch (error) {
    if (!isErrno(error, "ESRCH")) throw error;
  }
}

function recordedPid(cluster: string): number | undefined {
  try {
    const pid = Number.parseInt(readFileSync(join(cluster, "postmaster.pid"), "utf8"), 10);
    return pid > 0 ? pid : undefined;
  } catch (error) {
    if (isErrno(error, "ENOENT")) return undefined;
    throw error;
  }
}
