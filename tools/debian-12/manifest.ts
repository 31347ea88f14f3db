import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { ImageManifest, ImagePart } from "../../src/image/manifest.ts";

/** `image.json`: the manifest, with the file of each part. */
export type BuiltManifest = Omit<ImageManifest, "parts"> & {
  readonly parts: (ImagePart & { readonly file: string })[];
};

/** Tried: with this much it boots, and 150 MiB are free when the client arrives. */
const MEMORY_BYTES_MIN = 256 * 1024 * 1024;

const FILES = [
  ["kernel", "kernel"],
  ["initramfs", "initramfs"],
  ["disk", "root.qcow2"],
] as const;

export async function imageManifest(
  folder: string,
  about: { readonly version: string; readonly machine: ImageManifest["architecture"] },
): Promise<BuiltManifest> {
  const parts: BuiltManifest["parts"] = [];
  for (const [role, file] of FILES) parts.push({ role, file, ...(await measure(folder, file)) });
  const content = createHash("sha256").update(parts.map(({ digest }) => digest).join());
  return {
    name: "debian-12",
    // Debian's own number, and what of it is in here: builds of two days differ.
    version: `${about.version}-${content.digest("hex").slice(0, 8)}`,
    architecture: about.machine,
    boot: { kind: "kernel", kernelArguments: "root=/dev/vda ro" },
    seed: "nocloud",
    user: "debian",
    memoryBytesMin: MEMORY_BYTES_MIN,
    rootDiskFormat: "qcow2",
    parts,
  };
}

async function measure(folder: string, file: string) {
  const path = join(folder, file);
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return { digest: `sha256:${hash.digest("hex")}`, sizeBytes: (await stat(path)).size };
}
