import { createReadStream } from "node:fs";

/** What goes into an archive: a file's content comes from a path here, or is given. */
export type TarEntry = {
  readonly name: string;
  readonly mode: number;
  readonly mtimeMs: number;
} & (
  | { readonly type: "file"; readonly sizeBytes: number; readonly from: string | Buffer }
  | { readonly type: "folder" }
  | { readonly type: "link"; readonly to: string }
);

const BLOCK = 512;
const KINDS = { file: "0", link: "2", folder: "5" } as const;
/** GNU's way to tell a name that is too long for the field, which busybox reads as well. */
const LONG = { name: "././@LongLink", nameKind: "L", linkKind: "K" } as const;
const FIELD_BYTES = 100;

/**
 * Writes an archive as every tar reads it. Names are what the guest is to see, wherever the files
 * lie here: no tar of this computer can do that everywhere. Owners are left to whoever unpacks.
 */
export async function* tar(entries: readonly TarEntry[]): AsyncGenerator<Buffer> {
  for (const entry of entries) {
    const name = entry.type === "folder" ? `${entry.name}/` : entry.name;
    const linkTo = entry.type === "link" ? entry.to : "";
    if (Buffer.byteLength(linkTo) > FIELD_BYTES) yield* long(LONG.linkKind, linkTo);
    if (Buffer.byteLength(name) > FIELD_BYTES) yield* long(LONG.nameKind, name);
    const sizeBytes = entry.type === "file" ? entry.sizeBytes : 0;
    yield head({ name, linkTo, sizeBytes, kind: KINDS[entry.type], ...meta(entry) });
    if (entry.type !== "file") continue;
    yield* content(entry.from, sizeBytes);
    yield padding(sizeBytes);
  }
  yield Buffer.alloc(2 * BLOCK);
}

/** How many bytes the archive has. */
export function tarBytes(entries: readonly TarEntry[]): number {
  return entries.reduce((sum, entry) => sum + entryBytes(entry), 2 * BLOCK);
}

function entryBytes(entry: TarEntry): number {
  const name = entry.type === "folder" ? `${entry.name}/` : entry.name;
  const texts = entry.type === "link" ? [name, entry.to] : [name];
  const long = texts.map((text) => Buffer.byteLength(text)).filter((bytes) => bytes > FIELD_BYTES);
  const longBytes = long.reduce((sum, bytes) => sum + BLOCK + whole(bytes + 1), 0);
  return longBytes + BLOCK + (entry.type === "file" ? whole(entry.sizeBytes) : 0);
}

function whole(bytes: number): number {
  return Math.ceil(bytes / BLOCK) * BLOCK;
}

function* long(kind: string, text: string): Generator<Buffer> {
  const bytes = Buffer.from(`${text}\0`);
  yield head({
    ...{ name: LONG.name, linkTo: "", sizeBytes: bytes.length, kind },
    ...{ mode: 0o644, mtimeMs: 0 },
  });
  yield Buffer.concat([bytes, padding(bytes.length)]);
}

/** As many bytes as were promised: a file that changes meanwhile is cut off, or its rest is zeroes. */
async function* content(from: string | Buffer, sizeBytes: number): AsyncGenerator<Buffer> {
  if (sizeBytes === 0) return;
  if (typeof from !== "string") {
    yield from;
    return;
  }
  let left = sizeBytes;
  for await (const chunk of createReadStream(from, { end: sizeBytes - 1 })) {
    const bytes = chunk as Buffer;
    left -= bytes.length;
    yield bytes;
  }
  for (; left > 0; left -= 65_536) yield Buffer.alloc(Math.min(left, 65_536));
}

function padding(sizeBytes: number): Buffer {
  return Buffer.alloc((BLOCK - (sizeBytes % BLOCK)) % BLOCK);
}

function meta({ mode, mtimeMs }: TarEntry) {
  return { mode: mode & 0o777, mtimeMs };
}

interface Head {
  readonly name: string;
  readonly linkTo: string;
  readonly sizeBytes: number;
  readonly kind: string;
  readonly mode: number;
  readonly mtimeMs: number;
}

/** A header of POSIX's ustar format. */
function head({ name, linkTo, sizeBytes, kind, mode, mtimeMs }: Head): Buffer {
  const block = Buffer.alloc(BLOCK);
  block.write(name, 0, FIELD_BYTES);
  block.write(octal(mode, 7), 100);
  block.write(octal(0, 7), 108);
  block.write(octal(0, 7), 116);
  writeSize(block, sizeBytes);
  block.write(octal(Math.max(0, Math.floor(mtimeMs / 1000)), 11), 136);
  block.write(" ".repeat(8), 148);
  block.write(kind, 156);
  block.write(linkTo, 157, FIELD_BYTES);
  block.write("ustar\u000000", 257);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${octal(sum, 6)}\0 `, 148);
  return block;
}

/** What eleven octal digits do not hold is written in binary, as GNU's tar does. */
function writeSize(block: Buffer, sizeBytes: number): void {
  if (sizeBytes < 8 ** 11) {
    block.write(octal(sizeBytes, 11), 124);
    return;
  }
  block.writeBigUInt64BE(BigInt(sizeBytes), 128);
  block.writeUInt8(0x80, 124);
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, "0");
}
