import type { Kysely } from "kysely";
import type { Database } from "../database/connect.ts";
import type { DB } from "../database/types.ts";
import { eachLease } from "../lease/each-lease.ts";
import { lapseExtension } from "../lease/extend.ts";
import { listUnacknowledged } from "../lease/extension-store.ts";
import type { Lease } from "../lease/store.ts";
import { lowerHold } from "./ledger-store.ts";

/**
 * How long after the old end a host that is in contact may take to say that it took an extension.
 * The partition is the lease's for as long anyway: that is its turnaround.
 */
const GRACE_SECONDS = 30;

/** Extensions that their host had time to acknowledge and did not. Returns how many lapsed. */
export async function lapseExtensionsOnce(
  { db }: { readonly db: Database },
  now: Date,
): Promise<number> {
  const late = await listUnacknowledged(db.kysely, GRACE_SECONDS, now);
  return eachLease(db, late, (tx, lease) =>
    giveBackPending(tx, lease, { reason: "not-acknowledged", now }),
  );
}

/** A pending extension, if there is one, lapses: its time and its money are free again. */
export async function giveBackPending(
  tx: Kysely<DB>,
  lease: Lease,
  lapse: { readonly reason: string; readonly now: Date; readonly reportId?: string },
): Promise<boolean> {
  const additionalMicros = await lapseExtension(tx, lease, lapse);
  if (additionalMicros === null) return false;
  await lowerHold(tx, lease.leaseId, additionalMicros);
  return true;
}
