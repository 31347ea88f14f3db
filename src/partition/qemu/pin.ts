import { virtualCpuThreads } from "./cpu-time.ts";
import { runTool } from "./run-tool.ts";

/**
 * Gives each virtual cpu a core of its own; where there are fewer cores than virtual cpus, they
 * all share those. QEMU's sandbox forbids it to change this itself.
 */
export async function pinVirtualCpus(pid: number, cores: readonly number[]): Promise<void> {
  if (cores.length === 0) return;
  const threads = virtualCpuThreads(pid);
  const own = cores.length >= threads.length;
  for (const [position, { threadId }] of threads.entries()) {
    const mask = own ? `${cores[position]}` : cores.join(",");
    await runTool("taskset", ["-c", "-p", mask, `${threadId}`]);
  }
}
