import { listHostsOfLender } from "../../host/store.ts";
import { readReservedNow } from "../../lease/reservation-store.ts";
import { SIZE_ZERO } from "../../unit/size.ts";
import type { Handler } from "../handler.ts";
import { viewHost } from "../views.ts";

export const listHosts: Handler<"listHosts"> = async (context, { caller }) => {
  const { db, clock } = context;
  const hosts = await listHostsOfLender(db.kysely, caller.partyId);
  const ids = hosts.map((host) => host.hostId);
  const reserved = await readReservedNow(db.kysely, ids, clock.now());
  return {
    hosts: hosts.map((host) =>
      viewHost(context, host, caller.name, reserved.get(host.hostId) ?? SIZE_ZERO),
    ),
  };
};
