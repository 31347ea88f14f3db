import { setTimeout as sleep } from "node:timers/promises";
import { transaction } from "../../database/transaction.ts";
import { bumpDesiredGeneration } from "../../host/store.ts";
import {
  deleteConsoleRequest,
  insertConsoleRequest,
  readConsoleAnswer,
} from "../../lease/console-store.ts";
import { getLeaseOfParty } from "../../lease/store.ts";
import { refusal } from "../../refusal/refusal.ts";
import { newId } from "../../unit/id.ts";
import type { Handler } from "../handler.ts";

/** A host that is there answers within a second or two. */
const WAIT_MS = 10_000;
const POLL_MS = 100;

/**
 * Asks the host, which may talk to another server than this one: so the question and its answer
 * are rows, and the host is told that something moved as it is of everything else.
 */
export const readConsole: Handler<"readConsole"> = async (context, { caller, params }) => {
  const { db } = context;
  const now = context.clock.now();
  const lease = await getLeaseOfParty(db.kysely, caller.partyId, params.leaseId);
  // What a guest writes is its client's affair and not the lender's.
  if (lease.clientPartyId !== caller.partyId) {
    throw refusal("not-found", { what: "lease", id: params.leaseId });
  }
  const { leaseId, state } = lease;
  if (state !== "preparing" && state !== "ready") {
    throw refusal("lease-not-ready", { leaseId, state });
  }
  const requestId = newId("console", now.getTime());
  await transaction(db, async (tx) => {
    await insertConsoleRequest(tx, requestId, lease, now);
    await bumpDesiredGeneration(tx, lease.hostId);
  });
  try {
    for (const end = performance.now() + WAIT_MS; performance.now() < end; await sleep(POLL_MS)) {
      const content = await readConsoleAnswer(db.kysely, requestId);
      if (content !== null) return { leaseId, text: content.toString("utf8") };
    }
  } finally {
    await deleteConsoleRequest(db.kysely, requestId);
  }
  throw refusal("host-silent", { host: lease.hostName, seconds: WAIT_MS / 1000 });
};
