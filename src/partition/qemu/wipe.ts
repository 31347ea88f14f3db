import { lstat, readdir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { DriverError, type WipeEvidence } from "../driver.ts";
import { removeGroup } from "./control-group/group.ts";
import { syncFolder } from "./durable-file.ts";
import { hasCode } from "./errno.ts";
import type { GuestFolder } from "./guest-folder.ts";
import { networkName } from "./internet/name.ts";
import { removeNetwork } from "./internet/network.ts";
import { readRecord } from "./record.ts";
import { findRunning } from "./running.ts";

/**
 * Removes the guest's network and every file of it and says how many there were and how large, a disk counting with
 * the size that the guest saw. Nothing is overwritten: the next guest's disk is a new sparse file,
 * which reads as zeroes. A second call finds nothing and says so.
 */
export async function wipeGuest(paths: GuestFolder, driverTag: string): Promise<WipeEvidence> {
  const running = await findRunning(paths, driverTag);
  if (running !== null) {
    const message = `guest ${paths.guestId} runs as process ${running.process.pid}; stop it first`;
    throw new DriverError("guest-alive", message);
  }
  await removeGroup(paths);
  const wasLaid = (await readRecord(paths))?.internet ?? false;
  await removeNetwork(networkName(paths.guestId, driverTag), wasLaid);
  const evidence = await count(paths.folder);
  await rm(paths.folder, { recursive: true, force: true });
  await syncIfThere(dirname(paths.folder));
  return evidence;
}

/** On a host that never had a guest there is no folder of guests either. */
async function syncIfThere(folder: string): Promise<void> {
  try {
    await syncFolder(folder);
  } catch (error) {
    if (!hasCode(error, "ENOENT")) throw error;
  }
}

/** Links are counted and never followed: the guest's process could have made them. */
async function count(folder: string): Promise<WipeEvidence> {
  let files = 0;
  let bytes = 0;
  for (const name of await namesIn(folder)) {
    const path = join(folder, name);
    const found = await lstat(path);
    if (found.isDirectory()) {
      const inside = await count(path);
      files += inside.files;
      bytes += inside.bytes;
    } else {
      files += 1;
      bytes += found.size;
    }
  }
  return { files, bytes };
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (hasCode(error, "ENOENT")) return [];
    throw error;
  }
}
