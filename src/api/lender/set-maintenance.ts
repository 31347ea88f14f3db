import type { Kysely } from "kysely";
import { transaction } from "../../database/transaction.ts";
import type { DB } from "../../database/types.ts";
import { updateMaintenance } from "../../host/service-store.ts";
import {
  getHost,
  getHostOfLender,
  type Host,
  insertHostEvent,
  lockHost,
  type Maintenance,
} from "../../host/store.ts";
import { readReservations } from "../../lease/reservation-store.ts";
import { refusal } from "../../refusal/refusal.ts";
import type { Body } from "../contract/contract.ts";
import type { Handler } from "../handler.ts";
import { viewOwnHost } from "./view-own-host.ts";

export const setMaintenance: Handler<"setMaintenance"> = async (
  context,
  { caller, params, body },
) => {
  const { db, clock } = context;
  const now = clock.now();
  const maintenance = readMaintenance(body.maintenance, now);
  const { hostId } = await getHostOfLender(db.kysely, caller.partyId, params.host);
  const host = await transaction(db, async (tx) => {
    const current = await lockHost(tx, hostId);
    if (current.removedAt) throw refusal("host-removed", { host: current.name });
    if (samePeriod(current.maintenance, maintenance)) return current;
    if (maintenance) await refuseOverlap(tx, current, maintenance);
    await updateMaintenance(tx, hostId, maintenance);
    const kind = maintenance ? "maintenance-set" : "maintenance-lifted";
    await insertHostEvent(tx, { hostId, kind, detail: { by: caller.name, ...maintenance }, now });
    return getHost(tx, hostId);
  });
  return viewOwnHost(context, host, caller.name, now);
};

function readMaintenance(
  wanted: Body<"setMaintenance">["maintenance"],
  now: Date,
): Maintenance | null {
  if (wanted === null) return null;
  const start = new Date(wanted.start);
  const end = wanted.end === null ? null : new Date(wanted.end);
  if (end !== null && (end <= start || end <= now)) {
    throw refusal("invalid-input", {
      message: "the maintenance would end before it begins, or is over; give a later --until",
    });
  }
  return { start, end };
}

/** Under the host's lock, which every booking takes: what is not there now does not come. */
async function refuseOverlap(tx: Kysely<DB>, host: Host, during: Maintenance): Promise<void> {
  const reserved = await readReservations(tx, { during, hostIds: [host.hostId] });
  const leases = reserved.flatMap(({ leaseId, period }) =>
    leaseId === null ? [] : [{ leaseId, period: periodText(period) }],
  );
  if (leases.length > 0) throw refusal("host-booked", { host: host.name, leases });
}

function periodText({ start, end }: Maintenance): string {
  return `${start.toISOString()} to ${end?.toISOString() ?? "its end"}`;
}

function samePeriod(a: Maintenance | null, b: Maintenance | null): boolean {
  if (a === null || b === null) return a === b;
  return a.start.getTime() === b.start.getTime() && a.end?.getTime() === b.end?.getTime();
}
