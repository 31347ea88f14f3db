import { spawn } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { cleanUp } from "./clean-up.ts";

/**
 * A process that outlives the demo for a moment: when the demo ends without having said that it
 * cleaned up (it was killed outright), this one does. Server and agent end by themselves then.
 */
export interface Janitor {
  /** All is clean, or is meant to stay. */
  dismiss(): void;
}

const DISMISSED = "dismissed";
/** Server and agent see their pipe break and stop; a guest is not pulled from under them. */
const OTHERS_STOP_MS = 5_000;

export function hireJanitor(folder: string): Janitor {
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), folder], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
  });
  child.unref();
  child.stdin.on("error", () => child.stdin.destroy());
  return { dismiss: () => child.stdin.end(DISMISSED) };
}

async function wait(folder: string): Promise<void> {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    process.on(signal, () => undefined);
  let said = "";
  for await (const chunk of process.stdin) said += String(chunk);
  if (said === DISMISSED) return;
  await sleep(OTHERS_STOP_MS);
  await cleanUp(folder);
}

if (import.meta.main) await wait(process.argv[2] ?? "");
