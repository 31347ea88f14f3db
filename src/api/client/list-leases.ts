import { listLeasesOfParty } from "../../lease/store.ts";
import type { Handler } from "../handler.ts";
import { viewLease } from "../views.ts";

export const listLeases: Handler<"listLeases"> = async ({ db }, { caller, query }) => {
  const { partyId } = caller;
  const { state, cursor, limit } = query;
  const which = { partyId, open: state === "open", cursor, limit };
  const leases = await listLeasesOfParty(db.kysely, which);
  return {
    leases: leases.map((lease) => viewLease(lease, partyId)),
    nextCursor: leases.length === limit ? (leases.at(-1)?.leaseId ?? null) : null,
  };
};
