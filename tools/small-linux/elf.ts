/** Names of the shared libraries that a 64-bit little-endian ELF file asks for. */
export function neededLibraries(file: Buffer): string[] {
  if (file.length < 64 || file.readUInt32BE(0) !== 0x7f454c46) return [];
  const segments = programHeaders(file);
  const dynamic = segments.find((segment) => segment.type === PT_DYNAMIC);
  if (dynamic === undefined) return [];

  const needed: number[] = [];
  let stringsAddress = 0;
  for (let at = dynamic.offset; at < dynamic.offset + dynamic.size; at += 16) {
    const tag = Number(file.readBigInt64LE(at));
    const value = Number(file.readBigUInt64LE(at + 8));
    if (tag === DT_NULL) break;
    if (tag === DT_NEEDED) needed.push(value);
    if (tag === DT_STRTAB) stringsAddress = value;
  }
  const strings = offsetOf(segments, stringsAddress);
  return needed.map((offset) => textAt(file, strings + offset));
}

/** The program that starts a dynamically linked one, e.g. /lib64/ld-linux-x86-64.so.2. */
export function interpreter(file: Buffer): string | null {
  const segment = programHeaders(file).find(({ type }) => type === PT_INTERP);
  return segment === undefined ? null : textAt(file, segment.offset);
}

/** Names of the modules that a kernel module needs, from its `.modinfo`; null when it has none. */
export function moduleDependencies(file: Buffer): string[] | null {
  const key = file.indexOf("\0depends=");
  if (key < 0) return null;
  return textAt(file, key + "\0depends=".length)
    .split(",")
    .filter((name) => name !== "")
    .map((name) => name.replaceAll("-", "_"));
}

const PT_LOAD = 1;
const PT_DYNAMIC = 2;
const PT_INTERP = 3;
const DT_NULL = 0;
const DT_NEEDED = 1;
const DT_STRTAB = 5;

interface Segment {
  readonly type: number;
  readonly offset: number;
  readonly address: number;
  readonly size: number;
}

function programHeaders(file: Buffer): Segment[] {
  const start = Number(file.readBigUInt64LE(32));
  const size = file.readUInt16LE(54);
  const count = file.readUInt16LE(56);
  return Array.from({ length: count }, (_, index) => {
    const at = start + index * size;
    return {
      type: file.readUInt32LE(at),
      offset: Number(file.readBigUInt64LE(at + 8)),
      address: Number(file.readBigUInt64LE(at + 16)),
      size: Number(file.readBigUInt64LE(at + 32)),
    };
  });
}

function offsetOf(segments: readonly Segment[], address: number): number {
  const holder = segments.find(
    ({ type, address: from, size }) => type === PT_LOAD && address >= from && address < from + size,
  );
  if (holder === undefined) throw new Error("the ELF file's string table is in no segment");
  return address - holder.address + holder.offset;
}

function textAt(file: Buffer, offset: number): string {
  return file.toString("latin1", offset, file.indexOf(0, offset));
}
