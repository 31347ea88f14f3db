import { constants } from "node:fs";
import { chown, open, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { OUTBOX_SERIAL } from "../outbox.ts";
import type { Owner } from "./durable-file.ts";
import { exists, hasCode } from "./errno.ts";
import { type GuestFolder, MACHINE_FILES } from "./guest-folder.ts";

/** An empty disk, which takes no room of the host before the guest writes to it. */
export async function placeOutbox(
  paths: GuestFolder,
  bytes: number,
  owner: Owner | null,
): Promise<void> {
  const path = join(paths.machine, MACHINE_FILES.outbox);
  if (await exists(path)) return;
  const aside = join(paths.folder, "outbox.new");
  await rm(aside, { force: true });
  const handle = await open(aside, "wx", 0o600);
  try {
    await handle.truncate(bytes);
  } finally {
    await handle.close();
  }
  if (owner !== null) await chown(aside, owner.uid, owner.gid);
  await rename(aside, path);
}

export function outboxArguments(): string[] {
  const drive = "if=none,id=outbox,format=raw,werror=report,rerror=report,discard=unmap";
  return [
    ...["-drive", `${drive},file=${MACHINE_FILES.outbox}`],
    ...["-device", `virtio-blk-pci,drive=outbox,serial=${OUTBOX_SERIAL}`],
  ];
}

/**
 * A part of what the guest wrote; null where there is no such disk. The folder is the guest's
 * process's own: what it put there in the disk's place, a link to a file of the host's for one, is
 * not read.
 */
export async function readOutbox(
  paths: GuestFolder,
  offset: number,
  bytes: number,
): Promise<Buffer | null> {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
  const path = join(paths.machine, MACHINE_FILES.outbox);
  try {
    const handle = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    try {
      const found = await handle.stat();
      if (!found.isFile() || found.nlink !== 1) return null;
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(bytes), 0, bytes, offset);
      return buffer.subarray(0, bytesRead);
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (hasCode(error, "ENOENT", "ELOOP", "ENXIO", "ENOTDIR")) return null;
    throw error;
  }
}
