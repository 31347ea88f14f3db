import type { GuestSpec } from "../driver.ts";
import { virtualCpuThreads } from "./cpu-time.ts";
import { runTool } from "./run-tool.ts";

/**
 * Gives each virtual cpu of a dedicated guest a core of its own; where there are fewer cores than
 * virtual cpus, they all share those. A shared guest has all of the pool for each of its threads.
 * QEMU's sandbox forbids it to change this itself.
 */
export async function pin(
  pid: number,
  { cpuMode, cores }: Pick<GuestSpec, "cpuMode" | "cores">,
): Promise<void> {
  if (cores.length === 0) return;
  if (cpuMode === "shared") {
    // -a: every thread there is; those that come inherit it.
    await runTool("taskset", ["-a", "-c", "-p", cores.join(","), `${pid}`]);
    return;
  }
  const threads = virtualCpuThreads(pid);
  const own = cores.length >= threads.length;
  for (const [position, { threadId }] of threads.entries()) {
    const mask = own ? `${cores[position]}` : cores.join(",");
    await runTool("taskset", ["-c", "-p", mask, `${threadId}`]);
  }
}
