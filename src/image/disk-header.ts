import type { DiskFormat } from "./manifest.ts";

export type DiskRefusalCode = "disk-references-files" | "disk-unreadable";

export type DiskHeader =
  | { readonly ok: true; readonly virtualBytes: number }
  | { readonly ok: false; readonly code: DiskRefusalCode; readonly message: string };

/** As much of a file's beginning as `readDiskHeader` wants to see. */
export const DISK_HEAD_BYTES = 64 * 1024;

/**
 * Reads what a disk says of itself: how large the guest sees it, and whether it is whole. A disk
 * that refers to other files would have the host's QEMU open them for the guest to read, so it is
 * refused, here and at every place that takes a disk from elsewhere.
 * (docs/interop/qcow2.txt of QEMU's sources.)
 */
export function readDiskHeader(head: Buffer, sizeBytes: number, format: DiskFormat): DiskHeader {
  const isQcow2 = head.length >= 4 && head.readUInt32BE(0) === QCOW2_MAGIC;
  if (format === "qcow2") {
    return isQcow2 ? readQcow2(head) : unreadable("it is called qcow2 and does not begin as one");
  }
  if (isQcow2) return unreadable("it is called raw and begins as a qcow2; call it qcow2");
  if (sizeBytes % SECTOR_BYTES !== 0) {
    return unreadable(`its ${sizeBytes} bytes are no whole number of sectors`);
  }
  return { ok: true, virtualBytes: sizeBytes };
}

const QCOW2_MAGIC = 0x514649fb;
const SECTOR_BYTES = 512;
const V2_HEADER_BYTES = 72;
const V3_HEADER_BYTES = 104;
/** Features that a reader must know. Left out: corrupt (2) and an external data file (4). */
const FEATURE_DATA_FILE = 1 << 2;
const FEATURE_CORRUPT = 1 << 1;
const FEATURES_KNOWN = (1 << 0) | FEATURE_CORRUPT | FEATURE_DATA_FILE | (1 << 3) | (1 << 4);
const EXTENSION_END = 0;
const EXTENSION_DATA_FILE = 0x44415441;

function readQcow2(head: Buffer): DiskHeader {
  if (head.length < V2_HEADER_BYTES) return unreadable("it ends within its header");
  const version = head.readUInt32BE(4);
  if (version !== 2 && version !== 3) return unreadable(`it is qcow2 of version ${version}`);
  if (head.readBigUInt64BE(8) !== 0n || head.readUInt32BE(16) !== 0) {
    return references("a backing file");
  }
  if (head.readUInt32BE(32) !== 0) return unreadable("it is encrypted");
  const features = version === 3 ? readFeatures(head) : 0;
  if (features === null) return unreadable("it asks for features that are not known");
  if ((features & FEATURE_DATA_FILE) !== 0) return references("an external data file");
  if ((features & FEATURE_CORRUPT) !== 0) return unreadable("it is marked as corrupt");
  const named = extensionFault(head, version);
  if (named !== null) return named;
  const virtualBytes = head.readBigUInt64BE(24);
  if (virtualBytes === 0n || virtualBytes > BigInt(Number.MAX_SAFE_INTEGER)) {
    return unreadable("its size makes no sense");
  }
  return { ok: true, virtualBytes: Number(virtualBytes) };
}

function readFeatures(head: Buffer): number | null {
  if (head.length < V3_HEADER_BYTES) return null;
  const features = head.readBigUInt64BE(72);
  return (features & ~BigInt(FEATURES_KNOWN)) === 0n ? Number(features) : null;
}

/** The header's extensions: the name of a data file could stand there without its feature. */
function extensionFault(head: Buffer, version: number): DiskHeader | null {
  let at = version === 3 ? head.readUInt32BE(100) : V2_HEADER_BYTES;
  if (version === 3 && at < V3_HEADER_BYTES) return unreadable("its header is too short");
  while (at + 8 <= head.length) {
    const type = head.readUInt32BE(at);
    if (type === EXTENSION_END) return null;
    if (type === EXTENSION_DATA_FILE) return references("an external data file");
    at += 8 + Math.ceil(head.readUInt32BE(at + 4) / 8) * 8;
  }
  return unreadable("its header goes on without an end");
}

function references(what: string): DiskHeader {
  const message = `the disk refers to ${what}, which would be read from the host; make it whole with \`qemu-img convert -O qcow2 DISK WHOLE\``;
  return { ok: false, code: "disk-references-files", message };
}

function unreadable(why: string): DiskHeader {
  const message = `the disk cannot be used: ${why}; make another with \`qemu-img convert -O qcow2 DISK WHOLE\``;
  return { ok: false, code: "disk-unreadable", message };
}
