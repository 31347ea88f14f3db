import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { EmbeddedConnection } from "../../src/database/embedded.ts";

export interface Holder {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly ready?: { connection: EmbeddedConnection; postgresPid: number; mode: string };
  readonly refusal?: { code: string; message: string };
  /** Ends PostgreSQL and the process in good order. */
  end(): Promise<void>;
  /** kill -9 of the process that holds PostgreSQL. */
  kill(): Promise<void>;
}

const CHILD = fileURLToPath(new URL("./embedded-child.ts", import.meta.url));

/** Starts a process that holds an embedded PostgreSQL; returns when it is ready or refused. */
export async function hold(
  folder: string,
  mode = "auto",
  launch: readonly string[] = [process.execPath, CHILD],
): Promise<Holder> {
  const child = spawnHolder(folder, mode, launch);
  if (child.stdout === null || child.pid === undefined) throw new Error("no child");
  const [line] = (await once(createInterface(child.stdout), "line")) as [string];
  const said = JSON.parse(line) as { refusal?: { code: string; message: string } };
  return {
    child,
    pid: child.pid,
    ...("refusal" in said ? { refusal: said.refusal } : { ready: said as never }),
    end: async () => {
      child.stdin?.end();
      if (!isOver(child)) await once(child, "exit");
    },
    kill: async () => {
      child.kill("SIGKILL");
      if (!isOver(child)) await once(child, "exit");
    },
  };
}

export function spawnHolder(
  folder: string,
  mode = "auto",
  launch: readonly string[] = [process.execPath, CHILD],
): ChildProcess {
  const [program = "", ...args] = launch;
  return spawn(program, [...args, folder, mode], { stdio: ["pipe", "pipe", "inherit"] });
}

function isOver(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

/** False for a process that has ended, also when nobody has collected its exit yet. */
export function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return false;
    if (error instanceof Error && "code" in error && error.code === "ESRCH") return false;
    throw error;
  }
}
