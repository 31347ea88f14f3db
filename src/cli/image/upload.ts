import { createReadStream } from "node:fs";
import { Readable } from "node:stream";
import type { Client } from "../../api/client/client.ts";
import { CliError } from "../failure.ts";
import type { Progress } from "../output/progress.ts";

/** Without a byte for as long, the connection is taken for dead. */
const STALL_MS = 60_000;

interface Blob {
  readonly client: Client;
  readonly path: string;
  readonly role: string;
  readonly digest: string;
  readonly sizeBytes: number;
}

/** Sends a part to the file server, unless it is there already. */
export async function uploadBlob(blob: Blob, shown: Progress): Promise<void> {
  const { client, path, role, digest, sizeBytes } = blob;
  if (await isThere(client, digest)) {
    shown.line(`${role}: on the file server already (${digest})`);
    return;
  }
  const stall = new AbortController();
  const refusal = new CliError(
    "upload-stalled",
    `the server took nothing of ${role} for ${STALL_MS / 1000} s; try again`,
    { digest },
  );
  const timer = setTimeout(() => stall.abort(refusal), STALL_MS);
  try {
    const body = counted(path, (sentBytes) => {
      timer.refresh();
      shown.update(
        `${role}: ${Math.floor((sentBytes * 100) / sizeBytes)}% of ${mebibytes(sizeBytes)}`,
      );
    });
    const init = {
      method: "PUT",
      body: Readable.toWeb(Readable.from(body)) as ReadableStream,
      headers: { "content-type": "application/octet-stream" },
      signal: stall.signal,
      // fetch wants it said that the answer comes after the body.
      duplex: "half",
    };
    await client.fetch(`/v1/operator/blobs/${digest}`, init as RequestInit);
  } finally {
    clearTimeout(timer);
    shown.done();
  }
  shown.line(`${role}: sent, ${mebibytes(sizeBytes)}`);
}

async function isThere(client: Client, digest: string): Promise<boolean> {
  try {
    await client.fetch(`/images/${digest}`, { method: "HEAD" });
    return true;
  } catch (error) {
    if ((error as { httpStatus?: unknown }).httpStatus === 404) return false;
    throw error;
  }
}

async function* counted(path: string, onBytes: (sentBytes: number) => void) {
  let sentBytes = 0;
  for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
    sentBytes += chunk.length;
    onBytes(sentBytes);
    yield chunk;
  }
}

/** Roughly, for people who wait. */
function mebibytes(sizeBytes: number): string {
  return `${(sizeBytes / 2 ** 20).toFixed(1)}MiB`;
}
