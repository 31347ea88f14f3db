const BOOT_SIGNATURE_AT = 510;

const CONVERT = "make it one with `qemu-img convert -O qcow2`";

/** What else vendors publish, by how it begins, and what makes a disk of it. */
const FOREIGN: readonly (readonly [magic: string, at: number, what: string, wayOut: string])[] = [
  ["\x1f\x8b", 0, "is compressed with gzip", "`gunzip` it first"],
  ["\xfd7zXZ\0", 0, "is compressed with xz", "`unxz` it first"],
  ["\x28\xb5\x2f\xfd", 0, "is compressed with zstd", "`unzstd` it first"],
  ["BZh", 0, "is compressed with bzip2", "`bunzip2` it first"],
  ["PK\x03\x04", 0, "is a zip archive", "`unzip` it first"],
  ["KDMV", 0, "is a VMDK", CONVERT],
  ["vhdxfile", 0, "is a VHDX", CONVERT],
  ["conectix", 0, "is a VHD", CONVERT],
  ["\x7f\x10\xda\xbe", 64, "is a VDI", CONVERT],
  ["CD001", 0x8001, "is a CD, which installs a system", "take the vendor's cloud image"],
];

/**
 * Why a file that is no qcow2 is no raw disk either, with the way out; null when it may be one. One
 * that has to boot by itself ends its first sector as the firmware wants it.
 */
export function notADisk(head: Buffer, mustBoot: boolean): string | null {
  for (const [magic, at, what, wayOut] of FOREIGN) {
    if (head.toString("latin1", at, at + magic.length) === magic) {
      return `${what} and not a qcow2 or raw disk; ${wayOut}`;
    }
  }
  const boots = head.length >= 512 && head.readUInt16LE(BOOT_SIGNATURE_AT) === 0xaa55;
  if (mustBoot && !boots) {
    return "has no boot loader in its first sector; give it as --root-disk with --kernel and --initramfs";
  }
  return null;
}
