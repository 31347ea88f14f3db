import { readdirSync, readFileSync } from "node:fs";
import { hasCode } from "./errno.ts";

/** A process that cannot be mistaken for a later one with the same number. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Field 22 of /proc/PID/stat: clock ticks from the host's boot to the process's start. */
  readonly startTicks: string;
}

/** The identity of a live process; null when there is none, or only its unread exit is left. */
export function identify(pid: number): ProcessIdentity | null {
  const stat = readProc(`${pid}/stat`);
  return stat === null ? null : parseStat(pid, stat);
}

export function isAlive(identity: ProcessIdentity): boolean {
  return identify(identity.pid)?.startTicks === identity.startTicks;
}

/** The arguments with which a process was started; empty when it is gone. */
export function commandLine(pid: number): string[] {
  return readProc(`${pid}/cmdline`)?.split("\0") ?? [];
}

/** Every live process with this exact argument. Finds a guest whose start was never written down. */
export function findByArgument(matches: (argument: string) => boolean): ProcessIdentity[] {
  const found: ProcessIdentity[] = [];
  for (const entry of readdirSync("/proc")) {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || !commandLine(pid).some(matches)) continue;
    const identity = identify(pid);
    if (identity !== null) found.push(identity);
  }
  return found;
}

/** The name of a process can hold spaces and brackets, so fields count from the last bracket. */
export function parseStat(pid: number, stat: string): ProcessIdentity | null {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [state] = fields;
  const startTicks = fields[19];
  if (startTicks === undefined || state === "Z" || state === "X") return null;
  return { pid, startTicks };
}

/** A file below /proc, or null when its process is gone. */
export function readProc(path: string): string | null {
  try {
    return readFileSync(`/proc/${path}`, "utf8");
  } catch (error) {
    // ESRCH: it ended between opening and reading.
    if (hasCode(error, "ENOENT", "ESRCH")) return null;
    throw error;
  }
}
