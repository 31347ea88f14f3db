import { transaction } from "../../database/transaction.ts";
import { updateDrained } from "../../host/service-store.ts";
import { getHost, getHostOfLender, insertHostEvent, lockHost } from "../../host/store.ts";
import { refusal } from "../../refusal/refusal.ts";
import type { Handler } from "../handler.ts";
import { viewOwnHost } from "./view-own-host.ts";

export const drainHost: Handler<"drainHost"> = async (context, { caller, params, body }) => {
  const { db, clock } = context;
  const now = clock.now();
  const { hostId } = await getHostOfLender(db.kysely, caller.partyId, params.host);
  const host = await transaction(db, async (tx) => {
    const current = await lockHost(tx, hostId);
    if (current.removedAt) throw refusal("host-removed", { host: current.name });
    if ((current.drainedAt !== null) === body.drained) return current;
    await updateDrained(tx, hostId, body.drained ? now : null);
    const kind = body.drained ? "drained" : "undrained";
    await insertHostEvent(tx, { hostId, kind, detail: { by: caller.name }, now });
    return getHost(tx, hostId);
  });
  return viewOwnHost(context, host, caller.name, now);
};
