import { listIssued } from "../../enablement/capacity/stand-store.ts";
import { viewStand } from "../capacity/view-stand.ts";
import type { Handler } from "../handler.ts";

/** The owner sees what its providers see. */
export const listOwnCapacityHosts: Handler<"listOwnCapacityHosts"> = async (
  context,
  { caller },
) => {
  const db = context.db.kysely;
  const issued = await listIssued(db, { ownerPartyId: caller.partyId });
  const now = context.clock.now();
  return { hosts: await Promise.all(issued.map((one) => viewStand(db, one, now))) };
};
