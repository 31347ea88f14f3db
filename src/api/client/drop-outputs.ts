import { findOutputs, setOutputsGone } from "../../lease/run-store.ts";
import { getLeaseOfParty } from "../../lease/store.ts";
import { refusal } from "../../refusal/refusal.ts";
import type { Handler } from "../handler.ts";

export const dropOutputs: Handler<"dropOutputs"> = async (context, { caller, params }) => {
  const { db, outputs } = context;
  const { leaseId } = params;
  const lease = await getLeaseOfParty(db.kysely, caller.partyId, leaseId);
  const found = await findOutputs(db.kysely, leaseId);
  if (lease.clientPartyId !== caller.partyId || !found) {
    throw refusal("not-found", { what: "lease with outputs", id: leaseId });
  }
  if (found.outputsDigest === null || found.outputsGone !== null) return { leaseId };
  await outputs.remove(found.outputsDigest);
  await setOutputsGone(db.kysely, leaseId, "fetched");
  return { leaseId };
};
