import { cp, mkdir, readFile, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { readIfThere } from "../config/private-file.ts";
import { guestPath, splitPlaces } from "./put.ts";

/** What to bring back: a path or pattern there, and where to here. */
export interface Get {
  readonly remote: string;
  /** A file's name, or a folder when it is one or ends in a slash; empty: the present folder. */
  readonly local: string;
}

export function readGets(texts: readonly string[]): Get[] {
  return texts.map((text) => {
    const [remote, local] = splitPlaces(text, () => false);
    return { remote: guestPath(remote), local };
  });
}

export function getsFile(gets: readonly Get[]): string {
  return gets.map(({ remote }) => `${remote}\n`).join("");
}

export interface Restored {
  /** Where things are now. */
  readonly files: readonly string[];
  /** What was named and was not there. */
  readonly missing: readonly string[];
  /** Why the guest kept back what was named. */
  readonly problem: string | null;
}

/**
 * Brings what was unpacked in `root` to where it was wanted, from the job's folder `jobFolder` of
 * the guest. The archive comes from the guest: only what `gets` asked for leaves `root`.
 */
export async function restore(
  root: string,
  jobFolder: string,
  gets: readonly Get[],
  here: string,
): Promise<Restored> {
  const own = join(root, jobFolder);
  const files: string[] = [];
  const lines = ((await readIfThere(join(own, "map"))) ?? "").split("\n").filter(Boolean);
  const named = lines.map((line) => line.split("\t") as [string, string]);
  for (const [index, get] of gets.entries()) {
    const paths = named.filter(([number]) => number === String(index)).map(([, path]) => path);
    for (const path of paths) {
      const from = join(root, guestPath(path));
      const to = await targetOf(get, basename(path), here, paths.length > 1);
      await mkdir(dirname(to), { recursive: true });
      await cp(from, to, { recursive: true, verbatimSymlinks: true });
      files.push(to);
    }
  }
  const missing = ((await readIfThere(join(own, "missing"))) ?? "").split("\n").filter(Boolean);
  const problem = (await readIfThere(join(own, "problem")))?.trim() ?? null;
  return { files, missing, problem };
}

async function targetOf(
  { local }: Get,
  name: string,
  here: string,
  isMany: boolean,
): Promise<string> {
  const to = resolve(here, local);
  if (local === "" || local.endsWith("/") || isMany || (await isFolder(to))) return join(to, name);
  return to;
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw error;
  }
}

/** The pieces of what the command wrote, in their order. */
export async function readLog(
  root: string,
  jobFolder: string,
  stream: "out" | "err",
): Promise<Buffer> {
  const { readdir } = await import("node:fs/promises");
  const folder = join(root, jobFolder, "log");
  const names = (await readdir(folder).catch(() => [])).filter((name) =>
    new RegExp(`^${stream}\\.\\d+$`).test(name),
  );
  const number = (name: string) => Number(name.split(".")[1]);
  const pieces = names.sort((a, b) => number(a) - number(b));
  return Buffer.concat(await Promise.all(pieces.map((name) => readFile(join(folder, name)))));
}
