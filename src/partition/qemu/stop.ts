import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { drainConsole } from "./console.ts";
import { neverBackwards } from "./counter.ts";
import { type GuestFolder, MACHINE_FILES } from "./guest-folder.ts";
import { cpuNsOf } from "./observe.ts";
import { isAlive, type ProcessIdentity } from "./process-table.ts";
import { qmp } from "./qmp.ts";
import { processIdOf, readRecord, writeRecord } from "./record.ts";
import { findRunning, hostBootId, killProcess } from "./running.ts";
import { exitReasonOf } from "./status.ts";

const POLL_MS = 100;
const QUIT_LIMIT_MS = 2000;
/** A killed process that stays this long hangs in the host's kernel. */
const KILL_LIMIT_MS = 10_000;

/**
 * Ends the guest: its power button, then QEMU's own end, then force. Before the end, its last
 * console lines and its last counter are kept. Each step is only a request, and the next is taken
 * when it did not work: so a QEMU that does not answer is logged and killed.
 */
export async function stopGuest(
  paths: GuestFolder,
  driverTag: string,
  graceMs: number,
  log: (line: string) => void,
): Promise<void> {
  const running = await findRunning(paths, driverTag);
  if (running === null) return;
  const attempt = async (what: string, step: () => Promise<unknown>) => {
    if (!isAlive(running.process)) return;
    await step().catch((error: unknown) => log(`${paths.guestId}: ${what}: ${String(error)}`));
  };
  await attempt("reason", () => keepReason(paths));
  await attempt("power button", () => powerDown(paths, running.process, graceMs));
  await attempt("console", () => drainConsole(paths));
  await attempt("counter", () => keepCounter(paths, running.process));
  await attempt("quit", () => quit(paths));
  if (await gone(running.process, QUIT_LIMIT_MS)) return;
  killProcess(running.process);
  if (await gone(running.process, KILL_LIMIT_MS)) return;
  throw new Error(`process ${running.process.pid} of guest ${paths.guestId} cannot be ended`);
}

async function powerDown(
  paths: GuestFolder,
  process: ProcessIdentity,
  graceMs: number,
): Promise<void> {
  const until = performance.now() + graceMs;
  if (graceMs <= 0 || (await exitReasonOf(paths)) !== null) return;
  await qmp(socketOf(paths), [{ execute: "system_powerdown" }], QUIT_LIMIT_MS);
  while (performance.now() < until && isAlive(process)) {
    if ((await exitReasonOf(paths)) !== null) return;
    await sleep(POLL_MS);
  }
}

/** A guest that had ended by itself is not one that was stopped: leases are charged differently. */
async function keepReason(paths: GuestFolder): Promise<void> {
  const record = await readRecord(paths);
  const ended = (await exitReasonOf(paths)) ?? "stopped";
  if (record !== null) await writeRecord(paths, { ...record, ended });
}

async function keepCounter(paths: GuestFolder, process: ProcessIdentity): Promise<void> {
  const processId = processIdOf({ bootId: hostBootId(), process });
  await neverBackwards(paths, processId, await cpuNsOf(paths, process.pid));
}

async function quit(paths: GuestFolder): Promise<void> {
  await qmp(socketOf(paths), [{ execute: "quit" }], QUIT_LIMIT_MS);
}

async function gone(process: ProcessIdentity, limitMs: number): Promise<boolean> {
  const until = performance.now() + limitMs;
  while (isAlive(process)) {
    if (performance.now() >= until) return false;
    await sleep(20);
  }
  return true;
}

function socketOf(paths: GuestFolder): string {
  return join(paths.machine, MACHINE_FILES.qmpSocket);
}
