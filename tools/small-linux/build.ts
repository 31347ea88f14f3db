import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { gzipSync } from "node:zlib";
import { type Architecture, hostArchitecture } from "./architecture.ts";
import { cpioArchive } from "./cpio.ts";
import { type ImageManifest, imageManifest } from "./manifest.ts";
import { collectModules, WANTED_MODULES } from "./modules.ts";
import { downloadPackages, type Package, resolvePackages, withAptLists } from "./packages.ts";
import { rootEntries } from "./root.ts";
import { run } from "./run.ts";
import { fingerprintOf, freshImage, keyOf, writeStamp } from "./stamp.ts";

export interface BuildOptions {
  /** Becomes a folder of `kernel`, `initramfs` and `image.json`, replaced as a whole. */
  readonly outputFolder: string;
  /** Keeps the downloaded packages. */
  readonly cacheFolder: string;
  readonly log: (line: string) => void;
}

export interface BuiltImage {
  readonly folder: string;
  readonly manifest: ImageManifest;
}

/**
 * Builds the small Linux out of Debian's own packages: its kernel for virtual machines, busybox
 * and dropbear. Needs no root, except where apt's lists were never fetched. Returns at once when
 * the output is what a build would make.
 */
export async function buildSmallLinux(options: BuildOptions): Promise<BuiltImage> {
  const folder = resolve(options.outputFolder);
  const architecture = hostArchitecture();
  const fresh = await freshImage(folder, await fingerprintOf(architecture.name));
  if (fresh !== null) return { folder, manifest: fresh };

  // With each asking: lists that had to be fetched for it are those that the image is made of.
  const { fingerprint, packages } = await withAptLists(
    async () => ({
      fingerprint: await fingerprintOf(architecture.name),
      packages: await resolvePackages(architecture),
    }),
    options.log,
  );
  const key = keyOf(fingerprint.builder, packages);
  const same = await freshImage(folder, fingerprint, key);
  if (same === null) await build(folder, architecture, packages, options);
  await writeStamp(folder, { ...fingerprint, key });
  const manifest = JSON.parse(await readFile(join(folder, "image.json"), "utf8"));
  return { folder, manifest };
}

async function build(
  folder: string,
  architecture: Architecture,
  packages: readonly Package[],
  { cacheFolder, log }: BuildOptions,
): Promise<void> {
  log(`building the small Linux from ${packages.length} packages`);
  const files = await downloadPackages(packages, cacheFolder);
  await mkdir(dirname(folder), { recursive: true });
  const work = `${folder}.building-${process.pid}`;
  const unpacked = join(work, "unpacked");
  await rm(work, { recursive: true, force: true });
  await mkdir(unpacked, { recursive: true });
  try {
    for (const file of files) await run("dpkg", ["-x", resolve(file), unpacked]);
    const output = join(work, "output");
    await mkdir(output);
    await pack(unpacked, output, architecture, packages);
    await replaceFolder(output, folder);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function pack(
  unpacked: string,
  output: string,
  architecture: Architecture,
  packages: readonly Package[],
): Promise<void> {
  const boot = join(unpacked, "boot");
  const kernelFile = (await readdir(boot)).find((name) => name.startsWith("vmlinuz-"));
  if (kernelFile === undefined) throw new Error("the kernel's package holds no kernel");
  const kernel = await readFile(join(boot, kernelFile));
  const release = kernelFile.slice("vmlinuz-".length);
  const modules = await collectModules(modulesFolder(unpacked, release), WANTED_MODULES);
  const kernelVersion = packages.find(({ name }) => name.startsWith("linux-image-"))?.version ?? "";
  const entries = await rootEntries(unpacked, modules, osRelease(kernelVersion));
  // gzip's header has no time and no name in it when made here: the same tree, the same bytes.
  const initramfs = gzipSync(cpioArchive(entries), { level: 9 });
  const manifest = imageManifest({ architecture: architecture.name, kernelVersion }, [
    { role: "kernel", file: "kernel", data: kernel },
    { role: "initramfs", file: "initramfs", data: initramfs },
  ]);
  await writeFile(join(output, "kernel"), kernel);
  await writeFile(join(output, "initramfs"), initramfs);
  await writeFile(join(output, "image.json"), `${JSON.stringify(manifest, null, 2)}\n`);
}

function modulesFolder(unpacked: string, release: string): string {
  const old = join(unpacked, "lib/modules", release);
  return existsSync(old) ? old : join(unpacked, "usr/lib/modules", release);
}

function osRelease(kernelVersion: string): string {
  return [
    "ID=small-linux",
    'NAME="Small Linux"',
    `VERSION_ID="${kernelVersion}"`,
    `PRETTY_NAME="Small Linux (Debian kernel ${kernelVersion}, busybox)"`,
    "",
  ].join("\n");
}

/** A folder cannot be renamed over another that has files, so the old one steps aside first. */
async function replaceFolder(from: string, to: string): Promise<void> {
  const aside = `${to}.old-${process.pid}`;
  if (existsSync(to)) await rename(to, aside);
  await rename(from, to);
  await rm(aside, { recursive: true, force: true });
}

if (import.meta.main) {
  const [output] = process.argv.slice(2);
  if (output === undefined) {
    process.stderr.write("usage: node tools/small-linux/build.ts OUTPUT\n");
    process.exit(2);
  }
  const { folder, manifest } = await buildSmallLinux({
    outputFolder: output,
    cacheFolder: join(import.meta.dirname, "../../.cache/packages"),
    log: (line) => process.stderr.write(`${line}\n`),
  });
  process.stdout.write(`${folder} ${manifest.name} ${manifest.version}\n`);
}
