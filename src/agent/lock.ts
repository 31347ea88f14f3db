import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { AgentError } from "./agent-error.ts";

export interface FolderLock {
  release(): void;
}

/**
 * One agent per data folder. The lock is SQLite's own on an empty database: the kernel drops it
 * with the process, whatever killed it, so it is never stale. A file beside it says who holds it.
 */
export function lockFolder(folder: string): FolderLock {
  const holderPath = join(folder, "agent.pid");
  const lock = new DatabaseSync(join(folder, "agent.lock"));
  try {
    lock.exec("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE");
  } catch (cause) {
    lock.close();
    if (!isLocked(cause)) throw cause;
    throw new AgentError(
      "data-folder-in-use",
      `the agent of ${folder} runs already (${holderOf(holderPath)}); stop it, or choose another data folder`,
      { cause },
    );
  }
  const holder = { pid: process.pid, start: processStart(process.pid) ?? "" };
  writeFileSync(holderPath, JSON.stringify(holder), { mode: 0o600 });
  return { release: () => lock.close() };
}

/** Clock ticks since boot: with the pid, the name of one process for ever. Undefined: it is gone. */
export function processStart(pid: number): string | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    return undefined;
  }
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
}

function holderOf(path: string): string {
  const text = readFileSync(path, { encoding: "utf8", flag: "a+" });
  const pid = /"pid":(\d+)/.exec(text)?.[1];
  return pid === undefined ? "it is just starting" : `process ${pid}`;
}

const SQLITE_BUSY = 5;

function isLocked(error: unknown): boolean {
  return error instanceof Error && (error as { errcode?: number }).errcode === SQLITE_BUSY;
}
