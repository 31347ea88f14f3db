import { transaction } from "../../database/transaction.ts";
import { getRun, setRunCancelled } from "../../lease/run-store.ts";
import type { Handler } from "../handler.ts";
import { endLease } from "./end-lease.ts";
import { viewRun } from "./list-runs.ts";

/** A crash between two leases leaves the rest for the repeat. */
export const cancelRun: Handler<"cancelRun"> = async (context, { caller, params }) => {
  const { db, clock } = context;
  const run = await getRun(db.kysely, caller.partyId, params.runId);
  await transaction(db, (tx) => setRunCancelled(tx, run.runId, clock.now()));
  for (const { leaseId, state } of run.leases) {
    if (state === "ended") continue;
    const input = { caller, params: { leaseId }, query: undefined, body: undefined };
    await endLease(context, input as never);
  }
  return viewRun(context, await getRun(db.kysely, caller.partyId, run.runId));
};
