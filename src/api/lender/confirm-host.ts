import type { Kysely } from "kysely";
import { transaction } from "../../database/transaction.ts";
import type { DB } from "../../database/types.ts";
import { confirmHost as confirm, listUnconfirmed } from "../../host/registered-store.ts";
import { getHost, insertHostEvent } from "../../host/store.ts";
import { mapParties, type Party } from "../../party/store.ts";
import { refusal } from "../../refusal/refusal.ts";
import type { HostId } from "../../unit/id.ts";
import type { Handler } from "../handler.ts";
import { viewCapacityHost } from "../provider/view.ts";

export const listUnconfirmedHosts: Handler<"listUnconfirmedHosts"> = async ({ db }, { caller }) => {
  const of = isOperator(caller) ? null : caller.partyId;
  const hostIds = await listUnconfirmed(db.kysely, of);
  return { hosts: await Promise.all(hostIds.map((hostId) => view(db.kysely, hostId))) };
};

/** Whoever is to be billed says so; for a customer who never comes to this server, its operator. */
export const confirmHost: Handler<"confirmHost"> = async (context, { caller, params, body }) => {
  const now = context.clock.now();
  return transaction(context.db, async (tx) => {
    const host = await getHost(tx, params.host);
    const mayConfirm = host.lenderPartyId === caller.partyId || isOperator(caller);
    if (!host.isRegistered || !mayConfirm) {
      throw refusal("not-found", { what: "registered host", id: params.host });
    }
    const key = host.agentPublicJwk?.kid ?? "";
    if (key !== body.key) throw refusal("host-key-differs", { host: host.name, key });
    const { hostId } = host;
    if (await confirm(tx, hostId, { partyId: caller.partyId, now })) {
      const detail = { kid: key, by: caller.name };
      await insertHostEvent(tx, { hostId, kind: "confirmed", detail, now });
    }
    return view(tx, hostId);
  });
};

function isOperator({ roles }: Party): boolean {
  return roles.includes("operator");
}

async function view(db: Kysely<DB>, hostId: HostId) {
  const host = await getHost(db, hostId);
  const parties = await mapParties(db);
  return viewCapacityHost(host, parties.get(host.lenderPartyId)?.name ?? "");
}
