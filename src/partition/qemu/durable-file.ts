import { open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/**
 * Writes a file so that a crash leaves either the old one or the new one, whole. Made under
 * `temporaryPath`, which must be on the same file system and in a folder that only the agent
 * writes: there nobody can have put a link in the way.
 */
export async function writeDurably(
  path: string,
  data: string | Buffer,
  options: { mode: number; owner?: Owner | undefined; temporaryPath?: string },
): Promise<void> {
  const temporaryPath = options.temporaryPath ?? `${path}.new`;
  await rm(temporaryPath, { force: true });
  const handle = await open(temporaryPath, "wx", options.mode);
  try {
    await handle.writeFile(data);
    if (options.owner !== undefined) await handle.chown(options.owner.uid, options.owner.gid);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(temporaryPath, path);
  await syncFolder(dirname(path));
}

/** Makes the names in a folder survive a loss of power. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
