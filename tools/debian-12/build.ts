import { chmod, copyFile, mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { run } from "../small-linux/run.ts";
import { type BuiltManifest, imageManifest } from "./manifest.ts";
import { PARTITION_OFFSET_BYTES, writeBootLoader } from "./master-boot-record.ts";
import { builderHash, freshImage, writeStamp } from "./stamp.ts";

export interface BuildOptions {
  /** Becomes a folder with `image.json` and its parts, and `debian-12.qcow2`; replaced as a whole. */
  readonly outputFolder: string;
  readonly log: (line: string) => void;
}

export interface BuiltDebian {
  readonly folder: string;
  /** Kernel, initramfs and root disk: booted without firmware and boot loader. */
  readonly manifest: BuiltManifest;
  /** The same system as one disk with a boot loader, as vendors ship; null where there is no BIOS. */
  readonly diskPath: string | null;
}

/** The user's own programs come to about 400 MB; the guest's disk is grown over this at its boot. */
const FILE_SYSTEM_MIB = 768;

/** systemd, cloud-init and OpenSSH with what they need; Debian's kernel for virtual machines. */
const PACKAGES = [
  "systemd,systemd-sysv,udev,dbus,openssh-server,cloud-init,cloud-guest-utils,sudo",
  "initramfs-tools,iproute2,e2fsprogs,procps,ca-certificates",
];
const LEFT_OUT = [
  "man/*",
  "info/*",
  "locale/*",
  "i18n/*",
  "doc/*",
  "lintian/*",
  "bash-completion/*",
];

/**
 * Builds a Debian 12 out of Debian's own packages, without loop devices or mounts. As root, or as a
 * user who has user namespaces and subordinate ids. Returns at once when the output was made by
 * this builder; to take newer packages delete it.
 */
export async function buildDebian12(options: BuildOptions): Promise<BuiltDebian> {
  const folder = resolve(options.outputFolder);
  const { debian, machine } = hostArchitecture();
  const hash = await builderHash(import.meta.dirname, machine);
  const diskPath = machine === "x86_64" ? join(folder, "debian-12.qcow2") : null;
  const fresh = await freshImage(folder, hash);
  if (fresh !== null) return { folder, manifest: fresh, diskPath };
  options.log("building Debian 12 from its packages; this takes a minute or two");
  // Here mmdebstrap's root may write, who is not the user that runs this; see below.
  const work = await mkdtemp(join(tmpdir(), "sublet-debian-12-"));
  try {
    await chmod(work, 0o777);
    await bootstrap(work, debian, diskPath !== null);
    const manifest = await assemble(work, folder, machine, hash);
    return { folder, manifest, diskPath };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function bootstrap(work: string, architecture: string, bootLoader: boolean): Promise<void> {
  const hook = (name: string) => join(import.meta.dirname, name);
  const settings = {
    OUTPUT: work,
    SIZE: `${FILE_SYSTEM_MIB}M`,
    OFFSET: String(PARTITION_OFFSET_BYTES),
    BOOT_LOADER: bootLoader ? "grub" : "",
  };
  const env = Object.entries(settings).map(([name, value]) => `${name}=${value}`);
  await run("env", [
    ...env,
    ...["mmdebstrap", "--quiet", "--variant=apt", `--architectures=${architecture}`],
    ...LEFT_OUT.map((path) => `--dpkgopt=path-exclude=/usr/share/${path}`),
    "--dpkgopt=path-include=/usr/share/doc/*/copyright",
    `--include=${[...PACKAGES, `linux-image-cloud-${architecture}`].join(",")}`,
    ...[`--extract-hook=${hook("before-packages")}`, `--customize-hook=${hook("after-packages")}`],
    // The root itself is not kept: the hook has made disks of it.
    ...["--format=null", "bookworm"],
  ]);
}

/** Everything aside, then renamed as a whole. */
async function assemble(
  work: string,
  folder: string,
  machine: "x86_64" | "aarch64",
  hash: string,
): Promise<BuiltManifest> {
  const output = `${folder}.building-${process.pid}`;
  await rm(output, { recursive: true, force: true });
  await mkdir(output, { recursive: true });
  try {
    for (const name of ["kernel", "initramfs", "packages"]) {
      await copyFile(join(work, name), join(output, name));
    }
    await compress(join(work, "root.raw"), join(output, "root.qcow2"));
    if (machine === "x86_64") {
      await compress(await writeBootLoader(work), join(output, "debian-12.qcow2"));
    }
    const version = (await readFile(join(work, "version"), "utf8")).trim();
    const manifest = await imageManifest(output, { version, machine });
    await writeFile(join(output, "image.json"), `${JSON.stringify(manifest, null, 2)}\n`);
    await writeStamp(output, hash);
    await replaceFolder(output, folder);
    return manifest;
  } finally {
    await rm(output, { recursive: true, force: true });
  }
}

/** A third of the size, and QEMU reads it as it is. */
async function compress(raw: string, qcow2: string): Promise<void> {
  const as = ["-O", "qcow2", "-c", "-o", "compression_type=zstd"];
  await run("qemu-img", ["convert", "-f", "raw", ...as, raw, qcow2]);
}

/** A folder cannot be renamed over another that has files, so the old one steps aside first. */
async function replaceFolder(from: string, to: string): Promise<void> {
  const aside = `${to}.old-${process.pid}`;
  await mkdir(dirname(to), { recursive: true });
  await rename(to, aside).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
  });
  await rename(from, to);
  await rm(aside, { recursive: true, force: true });
}

function hostArchitecture(): { debian: string; machine: "x86_64" | "aarch64" } {
  if (process.arch === "x64") return { debian: "amd64", machine: "x86_64" };
  if (process.arch === "arm64") return { debian: "arm64", machine: "aarch64" };
  throw new Error(`no Debian is built for ${process.arch} yet`);
}

if (import.meta.main) {
  const [output] = process.argv.slice(2);
  if (output === undefined) {
    process.stderr.write("usage: node tools/debian-12/build.ts OUTPUT\n");
    process.exit(2);
  }
  const log = (line: string) => process.stderr.write(`${line}\n`);
  const { folder, manifest, diskPath } = await buildDebian12({ outputFolder: output, log });
  process.stdout.write(`${folder} ${manifest.name} ${manifest.version}\n`);
  if (diskPath !== null) process.stdout.write(`${diskPath}\n`);
}
