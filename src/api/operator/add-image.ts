import type { Readable } from "node:stream";
import type { BlobStore } from "../../image/blob-store.ts";
import { DISK_HEAD_BYTES, readDiskHeader } from "../../image/disk-header.ts";
import { type ImageManifest, manifestFault, partOf } from "../../image/manifest.ts";
import { insertImage } from "../../image/store.ts";
import { refusal } from "../../refusal/refusal.ts";
import type { Handler } from "../handler.ts";
import { viewImage } from "../views.ts";

export const addImage: Handler<"addImage"> = async (context, { body: { manifest } }) => {
  const { db, blobs, clock } = context;
  const fault = manifestFault(manifest);
  if (fault !== null) throw refusal("image-part-wrong", { message: fault });
  for (const { digest, sizeBytes } of manifest.parts) {
    const storedBytes = await blobs.sizeBytes(digest);
    if (storedBytes === undefined) throw refusal("blob-missing", { digest });
    if (storedBytes !== sizeBytes) {
      const message = `part ${digest} has ${storedBytes} bytes and not ${sizeBytes}; correct the manifest`;
      throw refusal("invalid-input", { message });
    }
  }
  const checked = await withDiskSize(blobs, manifest);
  return viewImage(await insertImage(db.kysely, checked, clock.now()));
};

/** The disk itself says how large it is: search asks for as much, and nobody has to write it. */
async function withDiskSize(blobs: BlobStore, manifest: ImageManifest): Promise<ImageManifest> {
  const disk = partOf(manifest, "disk");
  if (disk === undefined || manifest.rootDiskFormat === undefined) return manifest;
  const endByte = Math.min(disk.sizeBytes, DISK_HEAD_BYTES) - 1;
  const head = await bytesOf(blobs.read(disk.digest, { startByte: 0, endByte }));
  const header = readDiskHeader(head, disk.sizeBytes, manifest.rootDiskFormat);
  if (!header.ok) throw refusal(header.code, { message: header.message });
  return { ...manifest, diskBytesMin: header.virtualBytes };
}

async function bytesOf(stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
