import { readFileSync } from "node:fs";
import { guestIdOfArgument, portOfArguments } from "./command-line.ts";
import type { GuestFolder } from "./guest-folder.ts";
import {
  commandLine,
  findByArgument,
  identify,
  isAlive,
  type ProcessIdentity,
} from "./process-table.ts";
import { readRecord } from "./record.ts";

export interface RunningProcess {
  readonly process: ProcessIdentity;
  readonly port: number;
}

/**
 * The guest's live process. The record is tried first; when it is missing or stale, because the
 * agent died between starting the process and writing that down, all processes are searched.
 */
export async function findRunning(
  paths: GuestFolder,
  driverTag: string,
): Promise<RunningProcess | null> {
  const record = await readRecord(paths);
  if (record !== null && record.bootId === hostBootId() && isAlive(record.process)) {
    if (isGuest(record.process.pid, paths.guestId, driverTag)) {
      return { process: record.process, port: record.port };
    }
  }
  for (const process of guestProcesses(driverTag, paths.guestId)) {
    const port = portOfArguments(commandLine(process.pid));
    if (port !== null) return { process, port };
  }
  return null;
}

/** Processes of one guest, or with no guest named, of any guest of this driver. */
export function guestProcesses(driverTag: string, guestId?: string): ProcessIdentity[] {
  return findByArgument((argument) => {
    const found = guestIdOfArgument(argument, driverTag);
    return found !== null && (guestId === undefined || found === guestId);
  });
}

export function guestIdOfProcess(pid: number, driverTag: string): string | null {
  for (const argument of commandLine(pid)) {
    const guestId = guestIdOfArgument(argument, driverTag);
    if (guestId !== null) return guestId;
  }
  return null;
}

/** Ends a process by force, after making sure once more that it is still the same one. */
export function killProcess({ pid, startTicks }: ProcessIdentity): void {
  if (identify(pid)?.startTicks === startTicks) process.kill(pid, "SIGKILL");
}

export function hostBootId(): string {
  return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
}

function isGuest(pid: number, guestId: string, driverTag: string): boolean {
  return guestIdOfProcess(pid, driverTag) === guestId;
}
