import { readdirSync } from "node:fs";
import { hasCode } from "./errno.ts";
import { readProc } from "./process-table.ts";

/**
 * Nanoseconds that a QEMU process's virtual cpus have run. The threads are told by the names that
 * QEMU gives them (`debug-threads=on`) and not by asking QEMU, so that a guest's meter does not
 * depend on its process answering.
 */
export function virtualCpuNs(pid: number): bigint {
  let sum = 0n;
  for (const thread of virtualCpuThreads(pid)) {
    const schedstat = readProc(`${pid}/task/${thread.threadId}/schedstat`);
    if (schedstat !== null) sum += parseSchedstat(schedstat);
  }
  return sum;
}

export interface VirtualCpuThread {
  readonly index: number;
  readonly threadId: number;
}

/** In the order of the virtual cpus' numbers. */
export function virtualCpuThreads(pid: number): VirtualCpuThread[] {
  const threads: VirtualCpuThread[] = [];
  for (const entry of taskIds(pid)) {
    const index = virtualCpuIndex(readProc(`${pid}/task/${entry}/comm`) ?? "");
    if (index !== null) threads.push({ index, threadId: Number(entry) });
  }
  return threads.sort((a, b) => a.index - b.index);
}

/** `CPU 0/KVM` or `CPU 0/TCG` → 0. */
export function virtualCpuIndex(threadName: string): number | null {
  const match = /^CPU (\d+)\/(KVM|TCG)$/.exec(threadName.trim());
  return match === null ? null : Number(match[1]);
}

/** The first of the three numbers: time on a cpu, in nanoseconds. */
export function parseSchedstat(text: string): bigint {
  const [onCpu] = text.split(" ");
  if (onCpu === undefined || !/^\d+$/.test(onCpu)) {
    throw new Error(`schedstat was not understood: ${text}`);
  }
  return BigInt(onCpu);
}

function taskIds(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch (error) {
    if (hasCode(error, "ENOENT", "ESRCH")) return [];
    throw error;
  }
}
