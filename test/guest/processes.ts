import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { commandLine } from "../../src/partition/qemu/process-table.ts";

/** Live processes that name the folder in their arguments or work in it, gone or not. */
export function processesIn(folder: string): { pid: number; line: string }[] {
  const found: { pid: number; line: string }[] = [];
  for (const entry of readdirSync("/proc")) {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    const line = commandLine(pid).join(" ").trim();
    // QEMU names its files relatively to the guest's folder, which may have been removed meanwhile.
    if (line.includes(folder) || workingFolder(pid).startsWith(folder)) found.push({ pid, line });
  }
  return found;
}

/** Field 6 of /proc/PID/stat; the name before it may hold spaces. */
export function sessionOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[3]);
}

/** By force; that it has ended meanwhile is as well. */
export function end(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

function workingFolder(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return "";
  }
}

/** Looks again and again until there is something to see; `what` is for the one who waits in vain. */
export async function until<T>(
  what: string,
  look: () => T | undefined | Promise<T | undefined>,
  limitMs = 30_000,
): Promise<T> {
  for (const end = performance.now() + limitMs; performance.now() < end; await sleep(100)) {
    const seen = await look();
    if (seen !== undefined) return seen;
  }
  throw new Error(`not within ${limitMs} ms: ${what}`);
}
