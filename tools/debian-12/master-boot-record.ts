import { type FileHandle, open, readFile, stat } from "node:fs/promises";
import { join } from "node:path";

const SECTOR_BYTES = 512;
/** Where the one partition begins: the boot loader's core lies before it, as installers do it. */
export const PARTITION_OFFSET_BYTES = 1024 * 1024;
const CODE_BYTES = 440;
const TABLE_AT = 446;
const LINUX = 0x83;
const ACTIVE = 0x80;

/**
 * Puts GRUB in front of the file system of `disk.raw`, which begins at the partition's offset. Its
 * boot.img reads sector 1, and its core.img is made to lie there, so nothing has to be patched and
 * no device has to be mounted.
 */
export async function writeBootLoader(folder: string): Promise<string> {
  const path = join(folder, "disk.raw");
  const boot = await readFile(join(folder, "boot.img"));
  const core = await readFile(join(folder, "core.img"));
  if (SECTOR_BYTES + core.length > PARTITION_OFFSET_BYTES) {
    throw new Error("GRUB's core does not fit before the partition");
  }
  const { size } = await stat(path);
  const disk = await open(path, "r+");
  try {
    await write(disk, bootSector(boot, size - PARTITION_OFFSET_BYTES), 0);
    await write(disk, core, SECTOR_BYTES);
  } finally {
    await disk.close();
  }
  return path;
}

function bootSector(code: Buffer, partitionBytes: number): Buffer {
  const sector = Buffer.alloc(SECTOR_BYTES);
  code.copy(sector, 0, 0, CODE_BYTES);
  // The disk's signature: any number that is not zero.
  sector.writeUInt32LE(0x5b1e7000, CODE_BYTES);
  sector.writeUInt8(ACTIVE, TABLE_AT);
  // Beyond what cylinders, heads and sectors can say; everybody reads the block numbers.
  sector.fill(0xff, TABLE_AT + 1, TABLE_AT + 4);
  sector.writeUInt8(LINUX, TABLE_AT + 4);
  sector.fill(0xff, TABLE_AT + 5, TABLE_AT + 8);
  sector.writeUInt32LE(PARTITION_OFFSET_BYTES / SECTOR_BYTES, TABLE_AT + 8);
  sector.writeUInt32LE(partitionBytes / SECTOR_BYTES, TABLE_AT + 12);
  sector.writeUInt16LE(0xaa55, SECTOR_BYTES - 2);
  return sector;
}

async function write(disk: FileHandle, bytes: Buffer, at: number): Promise<void> {
  await disk.write(bytes, 0, bytes.length, at);
}
