import { readFileSync, readlinkSync } from "node:fs";
import { isErrno } from "./errno.ts";

/**
 * When a live process started, in clock ticks since boot, or undefined when no such process lives.
 * A pid together with its start names one process for ever; a pid alone is handed out again.
 */
export function processStart(pid: number): string | undefined {
  const stat = readProc(() => readFileSync(`/proc/${pid}/stat`, "utf8"));
  if (stat === undefined) return undefined;
  // The command name may hold spaces and parentheses: the fields start behind the last one.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const state = fields[0];
  return state === "Z" || state === "X" ? undefined : fields[19];
}

/** The working folder of a live process; undefined when it is gone or belongs to somebody else. */
export function processFolder(pid: number): string | undefined {
  return readProc(() => readlinkSync(`/proc/${pid}/cwd`));
}

function readProc(read: () => string): string | undefined {
  try {
    return read();
  } catch (error) {
    if (isErrno(error, "ENOENT", "ESRCH", "EACCES", "EPERM")) return undefined;
    throw error;
  }
}
