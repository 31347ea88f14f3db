import { existsSync, mkdirSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { ImageManifest, ImagePart } from "../../image/manifest.ts";
import type { AgentContext } from "../context.ts";
import { sha256OfFile } from "./digest.ts";
import { downloadPart } from "./download.ts";

export interface CachedImage {
  readonly kernelPath: string;
  readonly initramfsPath: string;
}

/**
 * Finds the image's parts in the cache, or fetches them. Each is read and hashed again at every
 * call, which is before every boot: a file that was altered meanwhile is fetched anew.
 */
export async function ensureImage(
  context: AgentContext,
  manifest: ImageManifest,
): Promise<CachedImage> {
  for (const part of manifest.parts) await ensurePartOnce(context, part);
  return imagePaths(context, manifest);
}

/** Where the parts are, present or not. */
export function imagePaths(context: AgentContext, manifest: ImageManifest): CachedImage {
  const pathOf = (role: ImagePart["role"]) => {
    const part = manifest.parts.find((candidate) => candidate.role === role);
    if (part === undefined) throw new Error(`an image without ${role} was accepted`);
    return partPath(context, part);
  };
  return { kernelPath: pathOf("kernel"), initramfsPath: pathOf("initramfs") };
}

/** Two leases of one image share one download. */
async function ensurePartOnce(context: AgentContext, part: ImagePart): Promise<void> {
  const underWay = context.fetching.get(part.digest);
  if (underWay !== undefined) return underWay;
  const work = ensurePart(context, part).finally(() => context.fetching.delete(part.digest));
  context.fetching.set(part.digest, work);
  return work;
}

async function ensurePart(context: AgentContext, part: ImagePart): Promise<void> {
  const path = partPath(context, part);
  if (existsSync(path)) {
    if ((await sha256OfFile(path)) === part.digest) return;
    context.log.warn(
      { digest: part.digest },
      "a cached image file was altered; it is fetched anew",
    );
    await rm(path);
  }
  await downloadPart(context, part, path);
}

function partPath(context: AgentContext, part: ImagePart): string {
  const folder = join(context.config.dataFolder, "images");
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  return join(folder, part.digest.replace(":", "-"));
}
