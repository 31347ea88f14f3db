import { existsSync, mkdirSync } from "node:fs";
import { rm, utimes } from "node:fs/promises";
import { join } from "node:path";
import { type ImageManifest, type ImagePart, partOf } from "../../image/manifest.ts";
import type { GuestImage } from "../../partition/driver.ts";
import type { AgentContext } from "../context.ts";
import { sha256OfFile } from "./digest.ts";
import { downloadPart } from "./download.ts";
import { cacheFolder, fileNameOf } from "./folder.ts";
import { makeRoom } from "./room.ts";

/**
 * Finds the image's parts in the cache, or fetches them. Each is read and hashed again at every
 * call, which is before every boot: a file that was altered meanwhile is fetched anew. That costs
 * what reading and hashing cost: measured 1.7 s for a gibibyte that the host's memory still holds.
 */
export async function ensureImage(context: AgentContext, manifest: ImageManifest): Promise<void> {
  for (const part of manifest.parts) await ensurePartOnce(context, manifest, part);
}

/** What the driver is told to boot: where the parts are, present or not. */
export function guestImage(context: AgentContext, manifest: ImageManifest): GuestImage {
  const pathOf = (role: ImagePart["role"]) => {
    const part = partOf(manifest, role);
    if (part === undefined) throw new Error(`an image without ${role} was accepted`);
    return partPath(context, part);
  };
  const { boot, rootDiskFormat: format, seed } = manifest;
  const seeded = seed === undefined ? {} : { seed };
  if (boot.kind === "disk") {
    if (format === undefined) throw new Error("a disk without a format was accepted");
    return { ...seeded, rootDisk: { path: pathOf("disk"), format } };
  }
  return {
    ...seeded,
    kernelPath: pathOf("kernel"),
    initramfsPath: pathOf("initramfs"),
    kernelArguments: boot.kernelArguments,
    ...(format === undefined ? {} : { rootDisk: { path: pathOf("disk"), format } }),
  };
}

/** Two leases of one image share one download. */
async function ensurePartOnce(
  context: AgentContext,
  manifest: ImageManifest,
  part: ImagePart,
): Promise<void> {
  const underWay = context.fetching.get(part.digest);
  if (underWay !== undefined) return underWay;
  const work = ensurePart(context, manifest, part).finally(() =>
    context.fetching.delete(part.digest),
  );
  context.fetching.set(part.digest, work);
  return work;
}

async function ensurePart(
  context: AgentContext,
  manifest: ImageManifest,
  part: ImagePart,
): Promise<void> {
  const path = partPath(context, part);
  if (existsSync(path)) {
    if ((await sha256OfFile(path)) === part.digest) {
      await noteUse(context, path);
      return;
    }
    context.log.warn(
      { digest: part.digest },
      "a cached image file was altered; it is fetched anew",
    );
    await rm(path);
  }
  await makeRoom(context, manifest, part);
  await downloadPart(context, part, path);
  await noteUse(context, path);
}

/** What was used last is evicted last. */
async function noteUse(context: AgentContext, path: string): Promise<void> {
  const now = context.clock.now();
  await utimes(path, now, now);
}

function partPath(context: AgentContext, part: ImagePart): string {
  return join(makeCacheFolder(context), fileNameOf(part.digest));
}

export function makeCacheFolder(context: AgentContext): string {
  const folder = cacheFolder(context);
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  return folder;
}
