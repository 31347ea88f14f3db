import { existsSync } from "node:fs";
import type { GuestObservation } from "../driver.ts";
import { groupCpuNs } from "./control-group/group.ts";
import { neverBackwards } from "./counter.ts";
import { virtualCpuNs } from "./cpu-time.ts";
import type { GuestFolder } from "./guest-folder.ts";
import { isAlive } from "./process-table.ts";
import { processIdOf, readRecord } from "./record.ts";
import { findRunning, hostBootId, type RunningProcess } from "./running.ts";
import { exitReasonOf } from "./status.ts";

/** Reads the guest's state and counter. The counter is read even when QEMU itself is silent. */
export async function observeGuest(
  paths: GuestFolder,
  driverTag: string,
  log: (line: string) => void,
): Promise<GuestObservation> {
  const running = await findRunning(paths, driverTag);
  if (running === null) return observeWithoutProcess(paths);
  const processId = processIdOf({ bootId: hostBootId(), process: running.process });
  const readNs = await cpuNsOf(paths, running.process.pid);
  const cpuNs = await neverBackwards(paths, processId, readNs);
  const exitReason = await reasonOf(paths, running, log);
  // It may have ended while it was asked; then what is left of it is told.
  if (!isAlive(running.process)) return observeWithoutProcess(paths);
  return {
    guestId: paths.guestId,
    state: exitReason === null ? "running" : "exited",
    processId,
    port: running.port,
    cpuNs,
    exitReason,
  };
}

/** A group counts what threads that are gone have used; their own counters died with them. */
export async function cpuNsOf(paths: GuestFolder, pid: number): Promise<bigint> {
  return (await groupCpuNs(paths)) ?? virtualCpuNs(pid);
}

async function reasonOf(
  paths: GuestFolder,
  { process }: RunningProcess,
  log: (line: string) => void,
): Promise<string | null> {
  try {
    return await exitReasonOf(paths);
  } catch (error) {
    if (isAlive(process)) log(`${paths.guestId}: QEMU gave no status: ${String(error)}`);
    return null;
  }
}

async function observeWithoutProcess(paths: GuestFolder): Promise<GuestObservation> {
  const { guestId } = paths;
  const nothing = { guestId, processId: null, port: null, cpuNs: 0n, exitReason: null };
  if (!existsSync(paths.folder)) return { ...nothing, state: "absent" };
  const record = await readRecord(paths);
  if (record === null) return { ...nothing, state: "exited", exitReason: "never-started" };
  const processId = processIdOf(record);
  const died = record.bootId === hostBootId() ? "process-died" : "host-restarted";
  return {
    guestId,
    state: "exited",
    processId,
    port: record.port,
    // A group outlives its process, and so tells of its last moments what no thread can.
    cpuNs: await neverBackwards(paths, processId, (await groupCpuNs(paths)) ?? 0n),
    exitReason: record.ended ?? died,
  };
}
