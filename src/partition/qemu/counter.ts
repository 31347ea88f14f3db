import { readFile, rename, writeFile } from "node:fs/promises";
import { hasCode } from "./errno.ts";
import type { GuestFolder } from "./guest-folder.ts";
import { Turns } from "./turns.ts";

/**
 * Keeps a guest's cpu counter from going backwards within one life of its process. The sum over
 * threads would: a virtual cpu that is unplugged takes its count with it, and a process that ended
 * takes all. So the largest value seen counts, and it is kept in a file for the agent's next life.
 * The file is not synced: after a loss of power the process is gone and with it its identity.
 */
export function neverBackwards(
  paths: GuestFolder,
  processId: string,
  readNs: bigint,
): Promise<bigint> {
  // Two observers at once would overwrite a later value with an earlier one.
  return turns.take(paths.counterPath, () => keepLargest(paths, processId, readNs));
}

const turns = new Turns();

async function keepLargest(paths: GuestFolder, processId: string, readNs: bigint): Promise<bigint> {
  const before = await readCounter(paths);
  const beforeNs = before?.processId === processId ? before.cpuNs : -1n;
  if (readNs <= beforeNs) return beforeNs;
  const text = JSON.stringify({ processId, cpuNs: `${readNs}` });
  try {
    await writeFile(`${paths.counterPath}.new`, text, { mode: 0o600 });
    await rename(`${paths.counterPath}.new`, paths.counterPath);
  } catch (error) {
    // The guest was wiped meanwhile: there is nothing to remember it by. Or the disk is full: the
    // counter is true all the same, and the agent has its own record of the last one.
    if (!hasCode(error, "ENOENT", "ENOSPC", "EDQUOT")) throw error;
  }
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
