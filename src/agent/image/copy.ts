import { createReadStream, existsSync } from "node:fs";
import { chmod, open, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { ImageManifest } from "../../image/manifest.ts";
import type { AgentContext } from "../context.ts";
import { EffectFailure } from "../lease/effect-failure.ts";
import { makeCacheFolder } from "./cache.ts";
import { sha256OfFile } from "./digest.ts";
import { syncFolder } from "./download.ts";
import { fileNameOf, PARTIAL_SUFFIX } from "./folder.ts";
import { makeRoom } from "./room.ts";

/**
 * Copies an image from a folder of this computer into the cache, part by part; `files` lie in the
 * order of the manifest's parts. What does not have its digest is refused and leaves nothing.
 */
export async function copyImage(
  context: AgentContext,
  manifest: ImageManifest,
  files: readonly string[],
): Promise<void> {
  const folder = makeCacheFolder(context);
  for (const [index, part] of manifest.parts.entries()) {
    const path = join(folder, fileNameOf(part.digest));
    const work = async () => {
      if (existsSync(path) && (await sha256OfFile(path)) === part.digest) return;
      await makeRoom(context, manifest, part);
      await copyPart(files[index] ?? "", part.digest, path);
    };
    await once(context, part.digest, work);
  }
}

/** Two that want one part write one file: whoever comes later waits for the first. */
async function once(
  { fetching }: AgentContext,
  digest: string,
  work: () => Promise<void>,
): Promise<void> {
  const underWay = fetching.get(digest);
  if (underWay !== undefined) return underWay;
  const done = work().finally(() => fetching.delete(digest));
  fetching.set(digest, done);
  return done;
}

async function copyPart(from: string, digest: string, path: string): Promise<void> {
  const partialPath = path + PARTIAL_SUFFIX;
  await rm(partialPath, { force: true });
  const file = await open(partialPath, "wx", 0o600);
  try {
    for await (const chunk of createReadStream(from)) await file.write(chunk as Buffer);
    await file.sync();
  } catch (error) {
    await rm(partialPath, { force: true });
    throw unreadable(from, error as NodeJS.ErrnoException);
  } finally {
    await file.close();
  }
  const actual = await sha256OfFile(partialPath);
  if (actual !== digest) {
    await rm(partialPath);
    const message = `${from} is not the part ${digest} that image.json names, but ${actual}; build the image again`;
    throw new EffectFailure("image-digest-wrong", message, "never");
  }
  await rename(partialPath, path);
  await chmod(path, 0o444);
  await syncFolder(dirname(path));
}

function unreadable(from: string, { code, message }: NodeJS.ErrnoException): EffectFailure {
  if (code === "ENOSPC" || code === "EDQUOT") {
    const text = "the host's disk became full while the image was copied; free some space";
    return new EffectFailure("disk-full", text, "never");
  }
  return new EffectFailure("image-unreadable", `${from} cannot be read (${message})`, "never");
}
