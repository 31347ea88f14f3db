/** One file of the guest's root. Everything belongs to root and dates from 1970: builds repeat. */
export type Entry =
  | { readonly path: string; readonly kind: "folder"; readonly mode: number }
  | { readonly path: string; readonly kind: "file"; readonly mode: number; readonly data: Buffer }
  | { readonly path: string; readonly kind: "link"; readonly target: string }
  | {
      readonly path: string;
      readonly kind: "character-device";
      readonly mode: number;
      readonly device: readonly [major: number, minor: number];
    };

/**
 * A cpio archive in the `newc` form that Linux unpacks as its initramfs
 * (Documentation/driver-api/early-userspace/buffer-format.rst). Written here and not by cpio(1)
 * because an ordinary user must be able to put a device node owned by root into it.
 */
export function cpioArchive(entries: readonly Entry[]): Buffer {
  const sorted = [...entries].sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
  const parts: Buffer[] = [];
  for (const [index, entry] of sorted.entries()) {
    parts.push(record(index + 1, modeOf(entry), entry.path, dataOf(entry), deviceOf(entry)));
  }
  parts.push(record(0, 0, "TRAILER!!!", EMPTY, [0, 0]));
  return Buffer.concat(parts);
}

const EMPTY = Buffer.alloc(0);
const S_IFDIR = 0o040000;
const S_IFREG = 0o100000;
const S_IFLNK = 0o120000;
const S_IFCHR = 0o020000;

function modeOf(entry: Entry): number {
  switch (entry.kind) {
    case "folder":
      return S_IFDIR | entry.mode;
    case "file":
      return S_IFREG | entry.mode;
    case "link":
      return S_IFLNK | 0o777;
    case "character-device":
      return S_IFCHR | entry.mode;
  }
}

function dataOf(entry: Entry): Buffer {
  if (entry.kind === "file") return entry.data;
  return entry.kind === "link" ? Buffer.from(entry.target) : EMPTY;
}

function deviceOf(entry: Entry): readonly [number, number] {
  return entry.kind === "character-device" ? entry.device : [0, 0];
}

function record(
  inode: number,
  mode: number,
  path: string,
  data: Buffer,
  [major, minor]: readonly [number, number],
): Buffer {
  const name = Buffer.from(`${path}\0`);
  const links = (mode & S_IFDIR) === S_IFDIR ? 2 : 1;
  // ino mode uid gid nlink mtime filesize devmajor devminor rdevmajor rdevminor namesize check
  const fields = [inode, mode, 0, 0, links, 0, data.length, 0, 0, major, minor, name.length, 0];
  const header = fields.map((field) => field.toString(16).padStart(8, "0")).join("");
  return Buffer.concat([padded(Buffer.from(`070701${header}`), name), padded(data)]);
}

/** The format aligns both the end of the name and the end of the data to four bytes. */
function padded(...parts: Buffer[]): Buffer {
  const whole = Buffer.concat(parts);
  return Buffer.concat([whole, Buffer.alloc((4 - (whole.length % 4)) % 4)]);
}
