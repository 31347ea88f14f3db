import { chmod, type FileHandle, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { ApiError } from "../../api/client/error.ts";
import type { ImagePart } from "../../image/manifest.ts";
import type { AgentContext } from "../context.ts";
import { EffectFailure, isDiskFull } from "../lease/effect-failure.ts";
import { sha256OfFile } from "./digest.ts";
import { PARTIAL_SUFFIX } from "./folder.ts";

/** A server that sends nothing for this long is asked again, from where it stopped. */
const SILENCE_MS = 30_000;

/**
 * Fetches one part from the file server into `path`. What an interrupted download left is gone on
 * with; nothing gets its final name before its digest is right and it is on the disk.
 */
export async function downloadPart(
  context: AgentContext,
  part: ImagePart,
  path: string,
): Promise<void> {
  const partialPath = path + PARTIAL_SUFFIX;
  const file = await open(partialPath, "a", 0o600);
  try {
    const { size } = await file.stat();
    if (size > part.sizeBytes) await file.truncate(0);
    if (size !== part.sizeBytes) {
      await fetchRest(context, part, file).catch((error) => interrupted(error, partialPath));
    }
    await file.sync();
  } finally {
    await file.close();
  }
  const actual = await sha256OfFile(partialPath);
  if (actual !== part.digest) {
    await rm(partialPath);
    throw new EffectFailure(
      "image-digest-wrong",
      `the file server sent ${actual} for the part ${part.digest} of the image`,
      "bounded",
    );
  }
  await rename(partialPath, path);
  // A guest's own user reads it where it lies, and nobody writes to it.
  await chmod(path, 0o444);
  await syncFolder(dirname(path));
}

async function fetchRest(context: AgentContext, part: ImagePart, file: FileHandle): Promise<void> {
  const { size: haveBytes } = await file.stat();
  const silence = new AbortController();
  const watch = setTimeout(() => silence.abort(new Error("the server went silent")), SILENCE_MS);
  const signal = AbortSignal.any([silence.signal, context.ended.signal]);
  try {
    const answer = await request(context, part, haveBytes, signal);
    // A server without ranges sends everything.
    if (answer.status !== 206 && haveBytes > 0) await file.truncate(0);
    let bytes = answer.status === 206 ? haveBytes : 0;
    for await (const chunk of answer.body ?? []) {
      watch.refresh();
      bytes += chunk.byteLength;
      if (bytes > part.sizeBytes) {
        await file.truncate(0);
        const message = `the file server sends more than the ${part.sizeBytes} bytes of ${part.digest}`;
        throw new EffectFailure("image-digest-wrong", message, "bounded");
      }
      await file.write(chunk);
    }
    if (bytes < part.sizeBytes) throw new Error(`the download of ${part.digest} was cut off`);
  } finally {
    clearTimeout(watch);
  }
}

/** What the network did is not the lease's fault: it is tried until the lease ends. */
async function interrupted(error: unknown, partialPath: string): Promise<never> {
  if (error instanceof EffectFailure) throw error;
  const { message } = error as Error;
  if (isDiskFull(error)) {
    // Half an image is of no use to anybody, and the room may be.
    await rm(partialPath, { force: true });
    const text =
      "the host's disk became full while the image was fetched; the lender must free some space";
    throw new EffectFailure("disk-full", text, "bounded", { cause: error });
  }
  throw new EffectFailure("download-interrupted", message, "always", { cause: error });
}

async function request(
  context: AgentContext,
  part: ImagePart,
  haveBytes: number,
  signal: AbortSignal,
): Promise<Response> {
  if (context.server === null) {
    const message = `the copy of ${part.digest} is gone from this host's cache, and it has no server to fetch it from; start the partition once more with --image FOLDER`;
    throw new EffectFailure("image-missing", message, "bounded");
  }
  const headers: Record<string, string> = haveBytes > 0 ? { range: `bytes=${haveBytes}-` } : {};
  try {
    return await context.server.client.fetch(`/images/${part.digest}`, { headers, signal });
  } catch (error) {
    if (error instanceof ApiError && error.httpStatus === 404) {
      throw new EffectFailure("image-missing", error.message, "bounded", { cause: error });
    }
    throw error;
  }
}

/** A rename is on the disk when its folder is. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
