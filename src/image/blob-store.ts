import { createHash, randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { refusal } from "../refusal/refusal.ts";

/**
 * Files by the digest of their content, which is why a name can never mean two contents. One
 * interface, so that several servers can share a store that is not a folder of one of them.
 */
export interface BlobStore {
  /** Size in bytes, or undefined when there is no such blob. */
  sizeBytes(digest: string): Promise<number | undefined>;
  /** Keeps `content` if its digest is `digest`; refuses `blob-digest-wrong` and keeps nothing else. */
  put(digest: string, content: Readable): Promise<number>;
  /** Nothing when it is not there. */
  remove(digest: string): Promise<void>;
  read(digest: string, range?: { startByte: number; endByte: number }): Readable;
}

export function createFolderBlobStore(folder: string): BlobStore {
  const pathOf = (digest: string) => {
    const hex = /^sha256:([0-9a-f]{64})$/.exec(digest)?.[1];
    if (hex === undefined) throw new TypeError(`${digest} is not a digest`);
    return join(folder, hex.slice(0, 2), hex);
  };
  const sizeBytes = async (digest: string) => {
    try {
      return (await stat(pathOf(digest))).size;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw error;
    }
  };
  return {
    sizeBytes,
    async put(digest, content) {
      const path = pathOf(digest);
      await mkdir(join(path, ".."), { recursive: true });
      const temporary = `${path}.${randomUUID()}.part`;
      try {
        const actual = await write(temporary, content);
        if (actual !== digest) throw refusal("blob-digest-wrong", { expected: digest, actual });
        await rename(temporary, path);
        await syncFolder(join(path, ".."));
      } finally {
        await rm(temporary, { force: true });
      }
      return (await stat(path)).size;
    },
    remove: (digest) => rm(pathOf(digest), { force: true }),
    read: (digest, range) =>
      createReadStream(
        pathOf(digest),
        range ? { start: range.startByte, end: range.endByte } : undefined,
      ),
  };
}

/** Durable when it returns. */
async function write(path: string, content: Readable): Promise<string> {
  const hash = createHash("sha256");
  const file = await open(path, "wx", 0o600);
  try {
    for await (const chunk of content) {
      hash.update(chunk);
      await file.writeFile(chunk);
    }
    await file.sync();
  } finally {
    await file.close();
  }
  return `sha256:${hash.digest("hex")}`;
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
