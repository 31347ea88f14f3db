import { existsSync } from "node:fs";
import { glob, lstat, readdir, readlink } from "node:fs/promises";
import { basename, isAbsolute, join, posix } from "node:path";
import { InputError } from "../../unit/quantity.ts";
import type { TarEntry } from "./tar.ts";

/** What was typed with `--put` or `--get`, at its last colon: `a.csv`, `a.csv:/data/in.csv`. */
export function splitPlaces(text: string, isWhole: (text: string) => boolean): [string, string] {
  const at = text.lastIndexOf(":");
  if (at <= 0 || isWhole(text)) return [text, ""];
  return [text.slice(0, at), text.slice(at + 1)];
}

/** A path in the guest: not above the job's folder, and of one line. */
export function guestPath(path: string): string {
  if (path.includes("\n")) throw new InputError("a path of several lines cannot be sent");
  if (path.split("/").includes("..")) {
    throw new InputError(
      `"${path}" leads out of the job's folder; write a whole path, like /data/in.csv`,
    );
  }
  return posix.normalize(path);
}

/**
 * Files and folders as the guest is to have them: in the job's folder under their own name, or where
 * it was said behind the colon (a folder, when it ends in a slash). Patterns are expanded here.
 */
export async function putEntries(puts: readonly string[], folder: string): Promise<TarEntry[]> {
  const entries: TarEntry[] = [];
  for (const text of puts) {
    const [source, to] = splitPlaces(text, (whole) => existsSync(inFolder(folder, whole)));
    const paths = await expand(source, folder);
    if (paths.length > 1 && to !== "" && !to.endsWith("/")) {
      throw new InputError(`--put ${text}: that is several; end the name there with a slash`);
    }
    for (const path of paths) {
      const own = basename(path);
      const name = to === "" ? own : to.endsWith("/") ? `${to}${own}` : to;
      entries.push(...(await entriesOf(inFolder(folder, path), inJob(guestPath(name)))));
    }
  }
  return entries;
}

/** In the archive: below `work`, or below `root` where it is a whole path. */
export function inJob(name: string): string {
  return isAbsolute(name) ? `root${name}` : `work/${name}`;
}

/** A file of that name, else all that the pattern matches, sorted. */
export async function expand(source: string, folder: string): Promise<string[]> {
  if (existsSync(inFolder(folder, source))) return [source.replace(/\/+$/, "")];
  const found: string[] = [];
  for await (const path of glob(source, { cwd: folder })) found.push(path);
  if (found.length === 0) throw new InputError(`there is no ${source} here to send`);
  return found.sort();
}

export async function entriesOf(path: string, name: string): Promise<TarEntry[]> {
  const found = await lstat(path);
  const meta = { name, mode: found.mode, mtimeMs: found.mtimeMs };
  if (found.isSymbolicLink()) return [{ ...meta, type: "link", to: await readlink(path) }];
  if (found.isFile()) {
    return [{ ...meta, type: "file", sizeBytes: found.size, from: path }];
  }
  if (!found.isDirectory()) throw new InputError(`${path} is neither a file nor a folder`);
  const entries: TarEntry[] = [{ ...meta, type: "folder" }];
  for (const one of (await readdir(path)).sort()) {
    entries.push(...(await entriesOf(join(path, one), `${name}/${one}`)));
  }
  return entries;
}

/** A text that is made here. */
export function madeFile(name: string, text: string | Buffer): TarEntry {
  const from = Buffer.from(text as string);
  return { ...{ name, mode: 0o600, mtimeMs: 0, type: "file" }, sizeBytes: from.length, from };
}

function inFolder(folder: string, path: string): string {
  return isAbsolute(path) ? path : join(folder, path);
}
