import { readdir, readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { zstdDecompressSync } from "node:zlib";
import { moduleDependencies } from "./elf.ts";
import { run } from "./run.ts";

export interface KernelModule {
  readonly file: string;
  readonly data: Buffer;
}

/**
 * What a partition's devices need, most urgent first. Kernels that have one built in simply have
 * no file for it. `evdev` and `button` hear the power button, `pvpanic_pci` tells the host of a
 * crash, the code pages are FAT's.
 */
export const WANTED_MODULES = [
  "virtio_pci",
  "virtio_net",
  "virtio_blk",
  "virtio_rng",
  "vfat",
  "nls_cp437",
  "nls_ascii",
  "nls_iso8859_1",
  "nls_utf8",
  "ext4",
  "evdev",
  "button",
  "pvpanic_pci",
] as const;

/** The wanted modules and all that they need, in an order in which they can be loaded. */
export async function collectModules(
  modulesFolder: string,
  wanted: readonly string[],
): Promise<KernelModule[]> {
  const paths = new Map<string, string>();
  for (const entry of await readdir(modulesFolder, { recursive: true })) {
    const match = /^(.+)\.ko(\.xz|\.zst|\.gz)?$/.exec(basename(entry));
    if (match?.[1]) paths.set(match[1].replaceAll("-", "_"), join(modulesFolder, entry));
  }
  const collected = new Map<string, KernelModule>();
  const add = async (name: string): Promise<void> => {
    const path = paths.get(name);
    if (path === undefined || collected.has(name)) return;
    const data = await readModule(path);
    for (const needed of moduleDependencies(data) ?? []) await add(needed);
    collected.set(name, { file: `${name}.ko`, data });
  };
  for (const name of wanted) await add(name);
  return [...collected.values()];
}

/** Kernels differ in how they pack modules; the guest's insmod takes them plain. */
async function readModule(path: string): Promise<Buffer> {
  const data = await readFile(path);
  if (path.endsWith(".zst")) return zstdDecompressSync(data);
  if (path.endsWith(".xz")) return run("xz", ["-dc"], { input: data });
  return path.endsWith(".gz") ? run("gzip", ["-dc"], { input: data }) : data;
}
