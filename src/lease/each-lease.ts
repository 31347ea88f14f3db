import type { Kysely } from "kysely";
import type { Database } from "../database/connect.ts";
import { errorFields, isConnectionLost } from "../database/failure.ts";
import { transaction } from "../database/transaction.ts";
import type { DB } from "../database/types.ts";
import type { LeaseId } from "../unit/id.ts";
import { type Lease, lockLease } from "./store.ts";

/**
 * Works on leases one by one, each in a transaction of its own and under its lock. What fails for
 * one is logged and keeps back no other: it is tried again at the next pass. Returns how many
 * `work` said it had moved. A database that is away ends the whole pass.
 */
export async function eachLease(
  db: Database,
  leaseIds: readonly LeaseId[],
  work: (tx: Kysely<DB>, lease: Lease) => Promise<boolean>,
): Promise<number> {
  let moved = 0;
  for (const leaseId of leaseIds) {
    try {
      const changed = await transaction(db, async (tx) => work(tx, await lockLease(tx, leaseId)));
      if (changed) moved += 1;
    } catch (error) {
      if (isConnectionLost(error)) throw error;
      db.log.error({ leaseId, ...errorFields(error) }, "a pass could not move a lease");
    }
  }
  return moved;
}
