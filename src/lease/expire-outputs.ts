import type { Database } from "../database/connect.ts";
import type { BlobStore } from "../image/blob-store.ts";
import { listExpiredOutputs, setOutputsGone } from "./run-store.ts";

/** Forgets outputs that nobody fetched in time: first the file, then its row. Returns how many. */
export async function expireOutputsOnce(
  { db, outputs }: { readonly db: Database; readonly outputs: BlobStore },
  now: Date,
): Promise<number> {
  const expired = await listExpiredOutputs(db.kysely, now);
  for (const { leaseId, digest } of expired) {
    await outputs.remove(digest);
    await setOutputsGone(db.kysely, leaseId, "expired");
  }
  return expired.length;
}
