import { createHash } from "node:crypto";
import { closeSync, fsyncSync, openSync } from "node:fs";
import { mkdir, open, readdir } from "node:fs/promises";
import { dirname, join } from "node:path";

/** A file of a backup: where it lies in it, and what it must be. */
export interface CopiedFile {
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** All files of a folder, by their paths within it, sorted; `skip` leaves out files and folders. */
export async function filesOf(folder: string, skip: (path: string) => boolean): Promise<string[]> {
  const found: string[] = [];
  const walk = async (at: string) => {
    const entries = await readdir(join(folder, at), { withFileTypes: true }).catch(orNone);
    for (const entry of entries) {
      const path = at === "" ? entry.name : `${at}/${entry.name}`;
      if (skip(path)) continue;
      if (entry.isDirectory()) await walk(path);
      else if (entry.isFile()) found.push(path);
    }
  };
  await walk("");
  return found.sort();
}

/** All folders, so that empty ones are there again. */
export async function foldersOf(folder: string): Promise<string[]> {
  const found: string[] = [];
  const walk = async (at: string) => {
    const entries = await readdir(join(folder, at), { withFileTypes: true }).catch(orNone);
    for (const entry of entries) {
      if (!entry.isDirectory()) continue;
      const path = at === "" ? entry.name : `${at}/${entry.name}`;
      found.push(path);
      await walk(path);
    }
  };
  await walk("");
  return found.sort();
}

/** Copies durably and gives what was copied; null when the file is gone meanwhile. */
export async function copyFile(from: string, to: string): Promise<Omit<CopiedFile, "path"> | null> {
  const source = await open(from, "r").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return null;
    throw error;
  });
  if (source === null) return null;
  try {
    await mkdir(dirname(to), { recursive: true, mode: 0o700 });
    const target = await open(to, "wx", 0o600);
    try {
      const hash = createHash("sha256");
      let bytes = 0;
      for await (const chunk of source.createReadStream({ autoClose: false })) {
        hash.update(chunk as Buffer);
        bytes += (chunk as Buffer).length;
        await target.writeFile(chunk as Buffer);
      }
      await target.sync();
      return { bytes, sha256: hash.digest("hex") };
    } finally {
      await target.close();
    }
  } finally {
    await source.close();
  }
}

/** Waiting for the disk is most of it: so many at once. */
const AT_ONCE = 16;

/** Copies files of one folder into another; those that are gone meanwhile are left out. */
export async function copyFiles(
  from: string,
  to: string,
  paths: readonly string[],
): Promise<CopiedFile[]> {
  const copied: CopiedFile[] = [];
  for (let at = 0; at < paths.length; at += AT_ONCE) {
    const some = paths.slice(at, at + AT_ONCE).map(async (path) => {
      const file = await copyFile(join(from, path), join(to, path));
      return file === null ? [] : [{ path, ...file }];
    });
    copied.push(...(await Promise.all(some)).flat());
  }
  return copied;
}

/** The names in a folder are on the disk when this returns. */
export function syncFolder(folder: string): void {
  const fd = openSync(folder, "r");
  fsyncSync(fd);
  closeSync(fd);
}

function orNone(error: NodeJS.ErrnoException): [] {
  if (error.code === "ENOENT") return [];
  throw error;
}
