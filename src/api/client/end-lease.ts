import { giveBackPending } from "../../billing/lapse-extensions.ts";
import { releaseHold } from "../../billing/ledger-store.ts";
import { transaction } from "../../database/transaction.ts";
import { orderEnd } from "../../enablement/grant-due.ts";
import { finishLease } from "../../lease/finish.ts";
import { END_REASONS } from "../../lease/state.ts";
import { getLeaseOfParty, lockLease } from "../../lease/store.ts";
import { refusal } from "../../refusal/refusal.ts";
import type { Handler } from "../handler.ts";
import { viewLease } from "../views.ts";

export const endLease: Handler<"endLease"> = async (context, { caller, params: { leaseId } }) => {
  const now = context.clock.now();
  const reason = END_REASONS.byClient;
  const lease = await transaction(context.db, async (tx) => {
    const current = await lockLease(tx, leaseId);
    if (current.clientPartyId !== caller.partyId) {
      throw refusal("not-found", { what: "lease", id: leaseId });
    }
    switch (current.state) {
      case "booked":
        await finishLease(tx, current, { outcome: "cancelled", reason }, now);
        await releaseHold(tx, leaseId, now);
        break;
      case "preparing":
      case "ready": {
        await giveBackPending(tx, current, { reason, now });
        const issuer = { serverId: context.serverId, key: context.keys.current };
        await orderEnd(tx, issuer, current, reason, now);
        break;
      }
      case "ending":
      case "ended":
        break;
    }
    return getLeaseOfParty(tx, caller.partyId, leaseId);
  });
  return viewLease(lease, caller.partyId);
};
