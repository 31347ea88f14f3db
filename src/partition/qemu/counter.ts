import { readFile, rename, writeFile } from "node:fs/promises";
import { hasCode } from "./errno.ts";
import type { GuestFolder } from "./guest-folder.ts";

/**
 * Keeps a guest's cpu counter from going backwards within one life of its process. The sum over
 * threads would: a virtual cpu that is unplugged takes its count with it, and a process that ended
 * takes all. So the largest value seen counts, and it is kept in a file for the agent's next life.
 * The file is not synced: after a loss of power the process is gone and with it its identity.
 */
export async function neverBackwards(
  paths: GuestFolder,
  processId: string,
  readNs: bigint,
): Promise<bigint> {
  const before = await readCounter(paths);
  const beforeNs = before?.processId === processId ? before.cpuNs : -1n;
  if (readNs <= beforeNs) return beforeNs;
  const text = JSON.stringify({ processId, cpuNs: `${readNs}` });
  await writeFile(`${paths.counterPath}.new`, text, { mode: 0o600 });
  await rename(`${paths.counterPath}.new`, paths.counterPath);
  return readNs;
}

async function readCounter(
  paths: GuestFolder,
): Promise<{ readonly processId: string; readonly cpuNs: bigint } | null> {
  try {
    const { processId, cpuNs } = JSON.parse(await readFile(paths.counterPath, "utf8"));
    return { processId, cpuNs: BigInt(cpuNs) };
  } catch (error) {
    // Unsynced, so it may be cut short by a crash of the host; then its process is gone as well.
    if (hasCode(error, "ENOENT") || error instanceof SyntaxError) return null;
    throw error;
  }
}
