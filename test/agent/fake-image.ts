import { ApiError } from "../../src/api/client/error.ts";
import type { Grant } from "../../src/enablement/grant.ts";
import type { ImageManifest } from "../../src/image/manifest.ts";
import { canonicalJson, sha256Hex } from "../../src/unit/canonical.ts";
import { newId } from "../../src/unit/id.ts";

const KERNEL = Buffer.from("a kernel, so to speak ".repeat(200));
const INITRAMFS = Buffer.from("an initramfs, so to speak ".repeat(200));

/** In the order of the manifest's parts. */
export const imageParts: readonly Buffer[] = [KERNEL, INITRAMFS];

export const imageManifest: ImageManifest = {
  name: "tiny",
  version: "1",
  architecture: "x86_64",
  boot: { kind: "kernel", kernelArguments: "" },
  user: "root",
  memoryBytesMin: 64 * 1024 ** 2,
  parts: [
    { role: "kernel", digest: digestOf(KERNEL), sizeBytes: KERNEL.length },
    { role: "initramfs", digest: digestOf(INITRAMFS), sizeBytes: INITRAMFS.length },
  ],
};

/** Serves the image's parts, with ranges. */
export function createFileServer() {
  const parts = new Map<string, Buffer>(
    [KERNEL, INITRAMFS].map((bytes) => [digestOf(bytes), bytes] as const),
  );
  const requests: string[] = [];
  return {
    image: { digest: `sha256:${sha256Hex(canonicalJson(imageManifest))}` },
    requests,
    /** A disk with a boot loader, of this content; served from now on. */
    addDisk(content: string): Grant["image"] {
      const bytes = Buffer.from(content);
      parts.set(digestOf(bytes), bytes);
      const manifest: ImageManifest = {
        ...imageManifest,
        ...{ boot: { kind: "disk" }, seed: "nocloud", rootDiskFormat: "raw", user: "debian" },
        parts: [{ role: "disk", digest: digestOf(bytes), sizeBytes: bytes.length }],
      };
      return imageOf(manifest);
    },
    /** From now on this is sent for the kernel. */
    serveInstead: (bytes: Buffer) => parts.set(digestOf(KERNEL), bytes),
    answer(path: string, init?: RequestInit): Response {
      const range = /^bytes=(\d+)-$/.exec(new Headers(init?.headers).get("range") ?? "")?.[1];
      requests.push(range === undefined ? path : `${path} from ${range}`);
      const bytes = parts.get(path.replace("/images/", ""));
      if (bytes === undefined) {
        throw new ApiError({ code: "not-found", status: 404, detail: "there is no such part" });
      }
      const body = new Uint8Array(bytes.subarray(Number(range ?? 0)));
      return new Response(body, { status: range === undefined ? 200 : 206 });
    },
  };
}

export function imageOf(manifest: ImageManifest): Grant["image"] {
  const digest = `sha256:${sha256Hex(canonicalJson(manifest))}`;
  return { imageId: newId("image"), digest, manifest };
}

export function digestOf(bytes: Buffer): string {
  return `sha256:${sha256Hex(bytes)}`;
}
