import { transaction } from "../../database/transaction.ts";
import { issuePowerOrder } from "../../enablement/issue.ts";
import { bumpDesiredGeneration } from "../../host/store.ts";
import { insertLeaseEvent } from "../../lease/event-store.ts";
import { getLeaseOfParty, lockLease, updateLease } from "../../lease/store.ts";
import { refusal } from "../../refusal/refusal.ts";
import type { Handler } from "../handler.ts";
import { viewLease } from "../views.ts";

/** The number makes it repeatable: the same wish under the same number is one wish. */
export const setPower: Handler<"setPower"> = async (context, { caller, params, body }) => {
  const now = context.clock.now();
  const { leaseId } = params;
  const { state, generation } = body;
  const lease = await transaction(context.db, async (tx) => {
    const current = await lockLease(tx, leaseId);
    if (current.clientPartyId !== caller.partyId) {
      throw refusal("not-found", { what: "lease", id: leaseId });
    }
    const known = { state: current.powerState, generation: current.powerGeneration };
    if (known.generation === generation && known.state === state) return current;
    if (current.state !== "ready") {
      throw refusal("lease-not-ready", { leaseId, state: current.state });
    }
    if (known.generation + 1 !== generation) {
      throw refusal("power-changed", { leaseId, ...known });
    }
    const issuer = { serverId: context.serverId, key: context.keys.current };
    await updateLease(tx, leaseId, {
      powerState: state,
      powerGeneration: generation,
      powerJws: issuePowerOrder(issuer, { lease: current, state, generation, now }),
    });
    await insertLeaseEvent(tx, {
      leaseId,
      kind: "power-asked",
      detail: { state, generation, by: current.clientName },
      at: now,
    });
    await bumpDesiredGeneration(tx, current.hostId);
    return getLeaseOfParty(tx, caller.partyId, leaseId);
  });
  return viewLease(lease, caller.partyId);
};
