import { transaction } from "../../database/transaction.ts";
import { insertDemand, listIssued } from "../../enablement/capacity/stand-store.ts";
import { bumpDesiredGeneration } from "../../host/store.ts";
import { refusal } from "../../refusal/refusal.ts";
import type { HostId, PartyId } from "../../unit/id.ts";
import { viewStand } from "../capacity/view-stand.ts";
import type { ServerContext } from "../context.ts";
import type { Handler } from "../handler.ts";

export const listCapacityHosts: Handler<"listCapacityHosts"> = async (context, { caller }) => {
  const db = context.db.kysely;
  const issued = await listIssued(db, { providerPartyId: caller.partyId });
  const now = context.clock.now();
  return { hosts: await Promise.all(issued.map((one) => viewStand(db, one, now))) };
};

export const showCapacityHost: Handler<"showCapacityHost"> = async (
  context,
  { caller, params },
) => {
  const issued = await issuedBy(context, caller.partyId, params.host);
  return viewStand(context.db.kysely, issued, context.clock.now());
};

/** An enrolled host hears of it with its desired state, another with its next receipt file. */
export const demandBill: Handler<"demandBill"> = async (context, { caller, params }) => {
  const issued = await issuedBy(context, caller.partyId, params.host);
  const now = context.clock.now();
  await transaction(context.db, async (tx) => {
    await insertDemand(tx, issued, now);
    await bumpDesiredGeneration(tx, issued.hostId);
  });
  return { hostId: issued.hostId, demandedAt: now.toISOString() };
};

async function issuedBy(context: ServerContext, providerPartyId: PartyId, hostId: HostId) {
  const [issued] = await listIssued(context.db.kysely, { providerPartyId, hostId });
  if (!issued) throw refusal("not-found", { what: "host with codes of yours", id: hostId });
  return issued;
}
