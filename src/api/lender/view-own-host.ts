import type { Host } from "../../host/store.ts";
import { readReservedNow } from "../../lease/reservation-store.ts";
import { SIZE_ZERO } from "../../unit/size.ts";
import type { ServerContext } from "../context.ts";
import { viewHost } from "../views.ts";

/** A host with what is free on it now, for the lender who has just changed it. */
export async function viewOwnHost(
  context: Pick<ServerContext, "db" | "upSince" | "clock">,
  host: Host,
  lenderName: string,
  now: Date,
) {
  const reserved = await readReservedNow(context.db.kysely, [host.hostId], now);
  return viewHost(context, host, lenderName, reserved.get(host.hostId) ?? SIZE_ZERO);
}
