import { spawn } from "node:child_process";
import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { end, processesIn } from "./processes.ts";

/**
 * Guests outlive their agent by design, and so would outlive a test run that is killed. This
 * process sees that by the end of its input, and ends what is left in the market's folder.
 */
export interface Janitor {
  readonly pid: number | undefined;
  /** The market was taken away in order. */
  dismiss(): void;
}

const DISMISSED = "dismissed";
/** Server and agent are told by their own pipes, and may need this long. */
const LOOK_FOR_MS = 25_000;

export function hireJanitor(folder: string): Janitor {
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), folder], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
    cwd: "/",
  });
  child.unref();
  (child.stdin as Socket).unref();
  child.stdin.on("error", () => child.stdin.destroy());
  return { pid: child.pid, dismiss: () => child.stdin.end(DISMISSED) };
}

async function wait(folder: string): Promise<void> {
  let said = "";
  for await (const chunk of process.stdin) said += String(chunk);
  if (said === DISMISSED) return;
  for (const since = performance.now(); performance.now() - since < LOOK_FOR_MS; await sleep(500)) {
    for (const { pid, line } of processesIn(folder)) {
      // Server and agent stop by themselves; a guest that one of them has just started does not.
      if (line.startsWith("qemu-")) end(pid);
    }
  }
  for (const { pid } of processesIn(folder)) end(pid);
}

if (import.meta.main) await wait(process.argv[2] ?? "");
