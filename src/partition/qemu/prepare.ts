import { constants } from "node:fs";
import { chown, copyFile, link, mkdir, open, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { DriverError, type GuestImage, type GuestSpec } from "../driver.ts";
import { ownerOf } from "./confinement.ts";
import { type Owner, syncFolder, writeDurably } from "./durable-file.ts";
import { exists, hasCode } from "./errno.ts";
import { type GuestFolder, MACHINE_FILES } from "./guest-folder.ts";
import { placeOutbox } from "./outbox.ts";
import { placeOverlay } from "./root-disk.ts";
import { runTool } from "./run-tool.ts";
import { type SeedFile, seedFiles } from "./seed.ts";

/**
 * Makes what a guest's process reads and writes. Each thing is made aside, in a folder that only
 * the agent writes, and renamed into place: after a crash it is whole or absent, and calling again
 * makes what is absent.
 */
export async function prepareGuest(
  paths: GuestFolder,
  spec: GuestSpec,
  resolvers: readonly string[],
): Promise<void> {
  const owner = ownerOf(spec.uid);
  await mkdir(paths.folder, { recursive: true, mode: 0o700 });
  await mkdir(paths.machine, { recursive: true, mode: 0o700 });
  if (owner !== null) await chown(paths.machine, owner.uid, owner.gid);
  await placeImage(paths, spec, owner);
  await placeSeed(paths, seedFiles(spec, resolvers), owner);
  if (spec.image.rootDisk !== undefined) {
    await placeOverlay(paths, spec.image.rootDisk, spec.size.diskBytes, owner);
  } else if (spec.size.diskBytes > 0) {
    await placeDisk(paths, spec.size.diskBytes, owner);
  }
  if (spec.outboxBytes !== undefined) await placeOutbox(paths, spec.outboxBytes, owner);
  await syncFolder(paths.machine);
  await syncFolder(paths.folder);
  await syncFolder(dirname(paths.folder));
}

/** A link to the agent's copy of the image costs nothing and outlives a cleaning of its cache. */
async function placeImage(paths: GuestFolder, spec: GuestSpec, owner: Owner | null): Promise<void> {
  for (const [from, name] of imageFiles(spec.image)) {
    const to = join(paths.machine, name);
    if (await exists(to)) continue;
    const aside = join(paths.folder, `${name}.new`);
    await rm(aside, { force: true });
    const readable = owner === null || ((await stat(from)).mode & 0o004) !== 0;
    if (!readable || !(await linked(from, aside))) {
      await copyFile(from, aside, constants.COPYFILE_FICLONE);
      if (owner !== null) await chown(aside, owner.uid, owner.gid);
    }
    await rename(aside, to);
  }
}

function imageFiles(image: GuestImage): (readonly [from: string, name: string])[] {
  const { rootDisk } = image;
  const disk = rootDisk === undefined ? [] : [[rootDisk.path, MACHINE_FILES.rootDisk] as const];
  if (!("kernelPath" in image)) return disk;
  const { kernelPath, initramfsPath } = image;
  const loaded = [
    [kernelPath, MACHINE_FILES.kernel],
    [initramfsPath, MACHINE_FILES.initramfs],
  ] as const;
  return [...loaded, ...disk];
}

async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    // Another file system, one without links, or a host that protects other users' files.
    if (hasCode(error, "EXDEV", "EPERM", "EMLINK", "ENOTSUP")) return false;
    throw error;
  }
}

async function placeSeed(
  paths: GuestFolder,
  files: readonly SeedFile[],
  owner: Owner | null,
): Promise<void> {
  const seed = join(paths.machine, MACHINE_FILES.seed);
  for (const folder of new Set([seed, ...files.map(({ path }) => dirname(join(seed, path)))])) {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    if (owner !== null) await chown(folder, owner.uid, owner.gid);
  }
  for (const file of files) {
    const path = join(seed, file.path);
    const temporaryPath = join(paths.folder, "seed.new");
    await writeDurably(path, file.text, { mode: 0o400, owner: owner ?? undefined, temporaryPath });
  }
}

async function placeDisk(
  paths: GuestFolder,
  diskBytes: number,
  owner: Owner | null,
): Promise<void> {
  const path = join(paths.machine, MACHINE_FILES.disk);
  if (await exists(path)) {
    const { size } = await stat(path);
    if (size === diskBytes) return;
    const message = `the guest's disk has ${size} bytes and not ${diskBytes}; it is not resized`;
    throw new DriverError("unsupported", message);
  }
  const aside = join(paths.folder, "disk.new");
  await rm(aside, { force: true });
  const handle = await open(aside, "wx", 0o600);
  try {
    await handle.truncate(diskBytes);
  } finally {
    await handle.close();
  }
  // Lazy: the tables are zeroes already in a file just made, so none are written.
  const lazy = "lazy_itable_init=1,lazy_journal_init=1,nodiscard,root_owner=0:0";
  await runTool("mkfs.ext4", ["-q", "-F", "-m", "0", "-L", "sublet-data", "-E", lazy, aside]);
  if (owner !== null) await chown(aside, owner.uid, owner.gid);
  await rename(aside, path);
}
