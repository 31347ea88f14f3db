import { createHash } from "node:crypto";
import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { BuiltManifest } from "./manifest.ts";

const STAMP_FILE = ".stamp";

/** Of the builder's own files: another builder makes another image. */
export async function builderHash(folder: string, machine: string): Promise<string> {
  const hash = createHash("sha256").update(`${machine}\0`);
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries
    .filter((entry) => entry.isFile() && !entry.name.endsWith(".test.ts"))
    .map(({ parentPath, name }) => join(parentPath, name))
    .sort();
  for (const path of paths) {
    hash.update(`${path.slice(folder.length)}\0`).update(await readFile(path));
  }
  return hash.digest("hex");
}

/** The image in `folder` when it is whole and of this builder; else null. */
export async function freshImage(folder: string, hash: string): Promise<BuiltManifest | null> {
  try {
    if ((await readFile(join(folder, STAMP_FILE), "utf8")) !== hash) return null;
    const manifest: BuiltManifest = JSON.parse(await readFile(join(folder, "image.json"), "utf8"));
    for (const { file, sizeBytes } of manifest.parts) {
      if ((await stat(join(folder, file))).size !== sizeBytes) return null;
    }
    return manifest;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}

export async function writeStamp(folder: string, hash: string): Promise<void> {
  await writeFile(join(folder, STAMP_FILE), hash);
}
