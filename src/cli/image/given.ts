import { open, stat } from "node:fs/promises";
import { basename } from "node:path";
import type { DiskFormat, ImageManifest, ImagePart } from "../../image/manifest.ts";
import { InputError } from "../../unit/quantity.ts";
import { CliError } from "../failure.ts";
import type { Progress } from "../output/progress.ts";
import { measure } from "./folder.ts";
import { notADisk } from "./foreign-format.ts";

/** What vendors publish, as it is given on the command line. */
export interface GivenImage {
  readonly disk?: string;
  readonly kernel?: string;
  readonly initramfs?: string;
  readonly rootDisk?: string;
  readonly kernelArguments?: string;
  readonly name?: string;
  readonly version?: string;
  readonly arch?: string;
  readonly minMemory?: number;
  readonly user?: string;
  readonly seed?: "nocloud" | "sublet";
}

export interface ReadImage {
  readonly manifest: ImageManifest;
  /** The file of each part, in the order of the manifest's parts. */
  readonly paths: readonly string[];
}

/** Makes the manifest of files: their digests and sizes are read, and a disk is looked into. */
export async function readGivenImage(given: GivenImage, shown: Progress): Promise<ReadImage> {
  const files = filesOf(given);
  const { imageManifestSchema, manifestFault } = await import("../../image/manifest.ts");
  const format = await diskFormat(files, given.disk !== undefined);
  const parts: ImagePart[] = [];
  for (const [role, path] of files) {
    shown.update(`reading ${basename(path)}`);
    parts.push({ role, ...(await measure(path)) });
  }
  shown.done();
  const boot =
    given.disk === undefined
      ? { kind: "kernel", kernelArguments: given.kernelArguments ?? defaultArguments(given) }
      : { kind: "disk" };
  const parsed = imageManifestSchema.safeParse({
    name: needed("--name", given.name),
    version: needed("--version", given.version),
    architecture: needed("--arch", given.arch),
    boot,
    // A system without cloud-init has to know our own seed, so somebody has to say so.
    seed: given.seed ?? "nocloud",
    user: needed("--user", given.user),
    memoryBytesMin: needed("--min-memory", given.minMemory),
    ...(format === undefined ? {} : { rootDiskFormat: format }),
    parts,
  });
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new InputError(`${issue?.path.join(".")}: ${issue?.message}`);
  }
  const fault = manifestFault(parsed.data);
  if (fault !== null) throw new CliError("image-part-wrong", fault, {});
  return { manifest: parsed.data, paths: files.map(([, path]) => path) };
}

function filesOf(given: GivenImage): (readonly [ImagePart["role"], string])[] {
  const { disk, kernel, initramfs, rootDisk, kernelArguments } = given;
  if (disk !== undefined) {
    const beside = { "--kernel": kernel, "--initramfs": initramfs, "--root-disk": rootDisk };
    for (const [flag, value] of Object.entries({
      ...beside,
      "--kernel-arguments": kernelArguments,
    })) {
      if (value !== undefined) {
        throw new InputError(
          `--disk boots by itself; leave ${flag} out, or give --root-disk instead`,
        );
      }
    }
    return [["disk", disk]];
  }
  return [
    ["kernel", needed("--kernel", kernel)],
    ["initramfs", needed("--initramfs", initramfs)],
    ...(rootDisk === undefined ? [] : [["disk", rootDisk] as const]),
  ];
}

/** Looked into here as well as by the server: nobody waits for gigabytes to be refused. */
async function diskFormat(
  files: readonly (readonly [ImagePart["role"], string])[],
  mustBoot: boolean,
): Promise<DiskFormat | undefined> {
  const path = files.find(([role]) => role === "disk")?.[1];
  if (path === undefined) return undefined;
  const { DISK_HEAD_BYTES, readDiskHeader } = await import("../../image/disk-header.ts");
  const { head, sizeBytes } = await beginningOf(path, DISK_HEAD_BYTES);
  const format = head.toString("latin1", 0, 4) === "QFI\xfb" ? "qcow2" : "raw";
  const about = { file: path };
  const foreign = format === "raw" ? notADisk(head, mustBoot) : null;
  if (foreign !== null) {
    throw new CliError("disk-unreadable", `${basename(path)} ${foreign}`, about);
  }
  const header = readDiskHeader(head, sizeBytes, format);
  if (!header.ok) throw new CliError(header.code, `${basename(path)}: ${header.message}`, about);
  return format;
}

async function beginningOf(
  path: string,
  headBytes: number,
): Promise<{ head: Buffer; sizeBytes: number }> {
  const { size } = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
    throw new CliError("image-part-missing", `${path} does not exist; check the name`, { path });
  });
  const file = await open(path, "r");
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(headBytes), 0);
    return { head: buffer.subarray(0, bytesRead), sizeBytes: size };
  } finally {
    await file.close();
  }
}

/** A root disk without a partition table is the first disk there is. */
function defaultArguments({ rootDisk }: GivenImage): string {
  return rootDisk === undefined ? "" : "root=/dev/vda ro";
}

function needed<T>(flag: string, value: T | undefined): T {
  if (value === undefined) {
    throw new InputError(
      `${flag} is missing; give a folder with image.json, or --disk or --kernel and --initramfs, with --name, --version, --arch, --min-memory and --user`,
    );
  }
  return value;
}
