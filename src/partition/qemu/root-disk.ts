import { chown, open, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { DISK_HEAD_BYTES, readDiskHeader } from "../../image/disk-header.ts";
import { formatBytes } from "../../unit/quantity.ts";
import { DriverError, type RootDisk } from "../driver.ts";
import type { Owner } from "./durable-file.ts";
import { exists } from "./errno.ts";
import { type GuestFolder, MACHINE_FILES } from "./guest-folder.ts";
import { runTool } from "./run-tool.ts";

/**
 * Makes the guest's own disk over the image's, which is in the guest's folder already. What the
 * guest writes goes to its own file; the image's is read by all guests of it and written by none.
 * The guest sees a disk of `diskBytes`, and grows its file system into it.
 */
export async function placeOverlay(
  paths: GuestFolder,
  { format }: RootDisk,
  diskBytes: number,
  owner: Owner | null,
): Promise<void> {
  const path = join(paths.machine, MACHINE_FILES.overlay);
  if (await exists(path)) return;
  await checkRootDisk(join(paths.machine, MACHINE_FILES.rootDisk), format, diskBytes);
  const aside = join(paths.folder, "overlay.new");
  await rm(aside, { force: true });
  // -u: the image's file is not opened, so that a root process never reads what a stranger made.
  const backing = ["-u", "-b", MACHINE_FILES.rootDisk, "-F", format];
  await runTool("qemu-img", ["create", "-q", "-f", "qcow2", ...backing, aside, `${diskBytes}`]);
  if (owner !== null) await chown(aside, owner.uid, owner.gid);
  await rename(aside, path);
}

/**
 * Whoever made the image is not trusted with this host: a disk that refers to other files would
 * give them to the guest.
 */
async function checkRootDisk(
  path: string,
  format: RootDisk["format"],
  diskBytes: number,
): Promise<void> {
  const handle = await open(path, "r");
  try {
    const { size } = await handle.stat();
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(DISK_HEAD_BYTES), 0);
    const header = readDiskHeader(buffer.subarray(0, bytesRead), size, format);
    if (!header.ok) throw new DriverError(header.code, header.message);
    if (header.virtualBytes > diskBytes) {
      const needed = formatBytes(header.virtualBytes);
      const message = `the image's disk has ${needed} and the partition ${formatBytes(diskBytes)}; ask for ${needed} of disk or more`;
      throw new DriverError("image-too-big", message);
    }
  } finally {
    await handle.close();
  }
}

/**
 * The guest's disk, with every layer spelt out: QEMU guesses no format and follows no name that is
 * written in a file. A full host is the guest's write error, not a guest that hangs.
 */
export function rootDiskArguments({ format }: RootDisk): string[] {
  const file = (filename: string) => ({ driver: "file", filename });
  const image = { driver: format, "read-only": true, file: file(MACHINE_FILES.rootDisk) };
  const disk = {
    driver: "qcow2",
    "node-name": "disk",
    discard: "unmap",
    file: file(MACHINE_FILES.overlay),
    backing: format === "qcow2" ? { ...image, backing: null } : image,
  };
  const device = "virtio-blk-pci,drive=disk,bootindex=1,werror=report,rerror=report";
  return ["-blockdev", JSON.stringify(disk), "-device", device];
}

/**
 * How large the overlay's file can become: all of the disk, for each cluster of 64 KiB an entry of
 * 8 bytes that finds it and one of 2 that counts it, and the tables of those tables.
 */
export function overlayBytesMax(diskBytes: number): number {
  return diskBytes + Math.ceil(diskBytes / 4096) + 4 * 1024 * 1024;
}
