import { readdir, rm, stat, statfs } from "node:fs/promises";
import { join } from "node:path";
import type { ImageManifest, ImagePart } from "../../image/manifest.ts";
import { formatBytes } from "../../unit/quantity.ts";
import type { AgentContext } from "../context.ts";
import { EffectFailure } from "../lease/effect-failure.ts";
import { listLeases } from "../lease/store.ts";
import { cacheFolder, fileNameOf, PARTIAL_SUFFIX } from "./folder.ts";

interface CachedFile {
  readonly path: string;
  readonly sizeBytes: number;
  readonly usedMs: number;
}

/**
 * Makes room for a part before it is fetched: what no lease needs goes, the longest unused first,
 * until the cache keeps its bound and the disk has the space. Refuses by name an image that can
 * never fit, a cache whose every file is in use, and a disk that is full.
 */
export async function makeRoom(
  context: AgentContext,
  manifest: ImageManifest,
  part: ImagePart,
): Promise<void> {
  const { imageCacheBytes } = context.config;
  const wholeBytes = manifest.parts.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  if (wholeBytes > imageCacheBytes) {
    const message = `${manifest.name} ${manifest.version} has ${formatBytes(wholeBytes)} and the cache of images is bounded to ${formatBytes(imageCacheBytes)}; the lender can give the agent a larger --image-cache`;
    throw new EffectFailure("image-too-big", message, "never");
  }
  const cached = await listCache(context);
  const keep = inUse(context, manifest);
  const evictable = cached
    .filter(({ path }) => !keep.has(baseOf(path)))
    .sort((a, b) => a.usedMs - b.usedMs);
  const partial = cached.find(({ path }) =>
    path.endsWith(fileNameOf(part.digest) + PARTIAL_SUFFIX),
  );
  const missingBytes = Math.max(part.sizeBytes - (partial?.sizeBytes ?? 0), 0);
  const promisedBytes = promisedToOthers(context, part);
  let cacheBytes = cached.reduce((sum, { sizeBytes }) => sum + sizeBytes, promisedBytes);
  let freeBytes = await freeDiskBytes(context);
  while (cacheBytes + missingBytes > imageCacheBytes || freeBytes < missingBytes) {
    const oldest = evictable.shift();
    if (oldest === undefined) break;
    await rm(oldest.path, { force: true });
    context.log.info(
      { file: baseOf(oldest.path), bytes: oldest.sizeBytes },
      "evicted from the cache",
    );
    cacheBytes -= oldest.sizeBytes;
    freeBytes = await freeDiskBytes(context);
  }
  refuseUnlessFits(context, { manifest, missingBytes, cacheBytes, freeBytes });
}

function refuseUnlessFits(
  context: AgentContext,
  found: {
    readonly manifest: ImageManifest;
    readonly missingBytes: number;
    readonly cacheBytes: number;
    readonly freeBytes: number;
  },
): void {
  const { missingBytes, cacheBytes, freeBytes } = found;
  const { imageCacheBytes } = context.config;
  const os = `${found.manifest.name} ${found.manifest.version}`;
  if (cacheBytes + missingBytes > imageCacheBytes) {
    const message = `${os} does not fit beside the images that other leases use (${formatBytes(cacheBytes)} of ${formatBytes(imageCacheBytes)}); the lender can give the agent a larger --image-cache`;
    throw new EffectFailure("image-cache-full", message, "bounded");
  }
  if (freeBytes < missingBytes) {
    const message = `${os} needs ${formatBytes(missingBytes)} more and the host's disk has ${formatBytes(freeBytes)} free; the lender must free some space`;
    throw new EffectFailure("disk-full", message, "bounded");
  }
}

/** Of downloads under way: as if nothing of them were there yet, which errs on the safe side. */
function promisedToOthers(context: AgentContext, part: ImagePart): number {
  const parts = new Map(
    grantedManifests(context).flatMap((manifest) =>
      manifest.parts.map(({ digest, sizeBytes }) => [digest, sizeBytes] as const),
    ),
  );
  let bytes = 0;
  for (const digest of context.fetching.keys()) {
    if (digest !== part.digest) bytes += parts.get(digest) ?? 0;
  }
  return bytes;
}

/** Of every lease that was granted and is not wiped yet. */
function grantedManifests(context: AgentContext): ImageManifest[] {
  return listLeases(context.db).flatMap(({ granted, stage }) =>
    granted !== null && stage !== "wiped" ? [granted.image.manifest] : [],
  );
}

/**
 * Names of files that stay: of every image that a lease which is not wiped yet was granted, of the
 * image that is wanted now, and of every download under way.
 */
function inUse(context: AgentContext, manifest: ImageManifest): ReadonlySet<string> {
  const digests = new Set(context.fetching.keys());
  for (const { parts } of [manifest, ...grantedManifests(context)]) {
    for (const { digest } of parts) digests.add(digest);
  }
  return new Set([...digests].flatMap((digest) => namesOf(fileNameOf(digest))));
}

function namesOf(name: string): string[] {
  return [name, name + PARTIAL_SUFFIX];
}

async function listCache(context: AgentContext): Promise<CachedFile[]> {
  const folder = cacheFolder(context);
  const files: CachedFile[] = [];
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    // A download that ends meanwhile gives its file another name.
    const found = await stat(path).catch(() => null);
    if (found !== null) files.push({ path, sizeBytes: found.size, usedMs: found.mtimeMs });
  }
  return files;
}

function baseOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

async function freeDiskBytes(context: AgentContext): Promise<number> {
  const { bavail, bsize } = await statfs(cacheFolder(context));
  return bavail * bsize;
}
