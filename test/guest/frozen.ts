import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/**
 * Stops a process with all of its threads, does the work and lets it go on. Meanwhile the kernel's
 * counter of its control group stands still, so that whoever reads it reads the same; `work` is
 * given it as this test reads it, in nanoseconds.
 */
export async function frozen(pid: number, work: (cpuNs: bigint) => Promise<unknown>) {
  process.kill(pid, "SIGSTOP");
  try {
    await work(await settledNs(pid));
  } finally {
    process.kill(pid, "SIGCONT");
  }
}

/** A thread that is being stopped may still be on a cpu for a moment. */
async function settledNs(pid: number): Promise<bigint> {
  for (let before = -1n; ; await sleep(200)) {
    const now = groupNs(pid);
    if (now === before) return now;
    before = now;
  }
}

function groupNs(pid: number): bigint {
  const groups = readFileSync(`/proc/${pid}/cgroup`, "utf8");
  const [, first] = /^\d+:(?:\w+,)*cpuacct(?:,\w+)*:(.*)$/m.exec(groups) ?? [];
  if (first !== undefined) {
    return BigInt(readFileSync(`/sys/fs/cgroup/cpuacct${first}/cpuacct.usage`, "utf8").trim());
  }
  const [, unified = ""] = /^0::(.*)$/m.exec(groups) ?? [];
  const stat = readFileSync(`/sys/fs/cgroup${unified}/cpu.stat`, "utf8");
  return BigInt(/^usage_usec (\d+)$/m.exec(stat)?.[1] ?? 0) * 1000n;
}
