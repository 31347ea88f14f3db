import { createReadStream } from "node:fs";
import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import type { Client } from "../../api/client/client.ts";
import {
  SEALED_HEAD_BYTES,
  SEALED_TAG_BYTES,
  SealError,
  type SealKeys,
  unseal,
} from "../../signature/sealed.ts";
import type { LeaseId } from "../../unit/id.ts";
import type { Context } from "../context.ts";
import { CliError } from "../failure.ts";
import { pour, unpack } from "./guest.ts";
import { transfer } from "./progress.ts";
import type { RunRecord } from "./record.ts";

/** Fetches what the server keeps, opens and unpacks it in a folder that the caller removes. */
export async function fetchKept(
  context: Context,
  client: Client,
  { leaseId, sealKeys }: Pick<RunRecord, "leaseId" | "sealKeys">,
): Promise<string> {
  const place = await mkdtemp(join(tmpdir(), "sublet-outputs-"));
  try {
    const sealed = join(place, "sealed");
    await download(context, client, leaseId, sealed);
    const archive = join(place, "archive.tar");
    await openSealed(sealed, archive, sealKeys, leaseId);
    await rm(sealed);
    await unpack(archive);
    return place;
  } catch (error) {
    await rm(place, { recursive: true, force: true });
    if (!(error instanceof SealError)) throw error;
    const message = `the outputs of ${leaseId} could not be opened: ${error.message}`;
    throw new CliError("outputs-unreadable", message, { leaseId });
  }
}

async function download(
  context: Context,
  client: Client,
  leaseId: LeaseId,
  path: string,
): Promise<void> {
  const signal = new AbortController().signal;
  const answer = await client.fetch(`/v1/client/leases/${leaseId}/outputs`, { signal });
  const shown = transfer(context, "fetching", Number(answer.headers.get("content-length")) || null);
  const file = await open(path, "wx", 0o600);
  try {
    for await (const chunk of answer.body ?? []) {
      await file.writeFile(chunk);
      shown.count(chunk.byteLength);
    }
  } finally {
    shown.done();
    await file.close();
  }
}

/** Nothing is read of it before all of it was found to be what was sealed. */
async function openSealed(
  from: string,
  to: string,
  keys: SealKeys,
  leaseId: LeaseId,
): Promise<void> {
  const sealed = await open(from, "r");
  const file = await open(to, "wx", 0o600);
  try {
    const { size } = await sealed.stat();
    const contentBytes = size - SEALED_HEAD_BYTES - SEALED_TAG_BYTES;
    if (contentBytes < 0) throw new SealError("it was cut off");
    const head = Buffer.alloc(SEALED_HEAD_BYTES);
    const tag = Buffer.alloc(SEALED_TAG_BYTES);
    await sealed.read(head, 0, head.length, 0);
    await sealed.read(tag, 0, tag.length, size - tag.length);
    const unsealing = unseal(keys, leaseId, head, tag);
    if (contentBytes > 0) {
      const range = { start: SEALED_HEAD_BYTES, end: SEALED_HEAD_BYTES + contentBytes - 1 };
      const content: Readable = createReadStream(from, range);
      await pour(content, (chunk) => file.writeFile(unsealing.add(chunk)));
    }
    unsealing.end();
  } finally {
    await sealed.close();
    await file.close();
  }
}
