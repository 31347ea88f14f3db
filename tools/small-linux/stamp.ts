import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { readFile, rename, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ImageManifest } from "./manifest.ts";
import type { Package } from "./packages.ts";

/** What a build came from: the builder's files, what apt knew, and the versions it chose. */
export interface Stamp {
  readonly builder: string;
  readonly apt: string;
  readonly key: string;
}

/**
 * Asking apt for versions takes a second, so the first question is cheaper: while neither the
 * builder's files nor apt's lists changed, the versions cannot have changed either.
 */
export async function fingerprintOf(
  architecture: string,
): Promise<{ readonly builder: string; readonly apt: string }> {
  const builder = createHash("sha256").update(`${architecture}\0${process.version}\0`);
  for (const entry of readdirSync(import.meta.dirname, {
    recursive: true,
    encoding: "utf8",
  }).sort()) {
    const path = join(import.meta.dirname, entry);
    if (entry.endsWith(".test.ts") || statSync(path).isDirectory()) continue;
    builder.update(`${entry}\0`).update(readFileSync(path));
  }
  return { builder: builder.digest("hex"), apt: aptFingerprint() };
}

/** The image in `folder` when it is whole and came from the same inputs; else null. */
export async function freshImage(
  folder: string,
  inputs: { readonly builder: string; readonly apt: string },
  key?: string,
): Promise<ImageManifest | null> {
  try {
    const stamp: Stamp = JSON.parse(await readFile(join(folder, STAMP_FILE), "utf8"));
    const same = key === undefined ? stamp.apt === inputs.apt : stamp.key === key;
    if (!same || stamp.builder !== inputs.builder) return null;
    const manifest: ImageManifest = JSON.parse(await readFile(join(folder, "image.json"), "utf8"));
    for (const part of manifest.parts) {
      if ((await stat(join(folder, part.file))).size !== part.sizeBytes) return null;
    }
    return manifest;
  } catch (error) {
    if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code === "ENOENT") {
      return null;
    }
    throw error;
  }
}

export function keyOf(builder: string, packages: readonly Package[]): string {
  const names = packages.map(({ file, sha256 }) => `${file} ${sha256}`).sort();
  return createHash("sha256")
    .update([builder, ...names].join("\n"))
    .digest("hex");
}

export async function writeStamp(folder: string, stamp: Stamp): Promise<void> {
  const path = join(folder, STAMP_FILE);
  await writeFile(`${path}.new`, JSON.stringify(stamp));
  await rename(`${path}.new`, path);
}

const STAMP_FILE = ".stamp.json";
const APT_LISTS_FOLDER = "/var/lib/apt/lists";

function aptFingerprint(): string {
  const hash = createHash("sha256");
  try {
    for (const name of readdirSync(APT_LISTS_FOLDER).sort()) {
      const { mtimeMs, size } = statSync(join(APT_LISTS_FOLDER, name));
      if (name.includes("Packages")) hash.update(`${name} ${mtimeMs} ${size}\n`);
    }
  } catch (error) {
    // No lists, or a list that apt replaced just now: the versions are asked for.
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    return `unknown at ${Date.now()}`;
  }
  return hash.digest("hex");
}
