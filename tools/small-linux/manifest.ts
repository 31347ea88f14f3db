import { createHash } from "node:crypto";

/** Counts our own changes of the image over one and the same kernel. */
const BUILD_NUMBER = 3;

/** Measured by booting with less and less: 80 MiB still boots, 76 panics; this leaves some room. */
const MEMORY_BYTES_MIN = 96 * 1024 * 1024;

/** What an image of an operating system says of itself: `image.json`. */
export interface ImageManifest {
  readonly name: string;
  readonly version: string;
  readonly architecture: "x86_64" | "aarch64";
  readonly boot: { readonly kind: "kernel"; readonly kernelArguments: string };
  readonly user: string;
  readonly memoryBytesMin: number;
  readonly parts: readonly ImagePart[];
}

export interface ImagePart {
  readonly role: "kernel" | "initramfs";
  readonly file: string;
  /** `sha256:` and 64 hexadecimal digits. */
  readonly digest: string;
  readonly sizeBytes: number;
}

export function imageManifest(
  about: { readonly architecture: ImageManifest["architecture"]; readonly kernelVersion: string },
  parts: readonly { role: ImagePart["role"]; file: string; data: Buffer }[],
): ImageManifest {
  return {
    name: "small-linux",
    version: `${about.kernelVersion}-${BUILD_NUMBER}`,
    architecture: about.architecture,
    boot: { kind: "kernel", kernelArguments: "" },
    user: "root",
    memoryBytesMin: MEMORY_BYTES_MIN,
    parts: parts.map(({ role, file, data }) => ({
      role,
      file,
      digest: `sha256:${createHash("sha256").update(data).digest("hex")}`,
      sizeBytes: data.length,
    })),
  };
}
