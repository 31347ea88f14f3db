import type { Kysely } from "kysely";
import { getBillOfParty, listBillsOfLease } from "../../billing/bill-store.ts";
import type { CapacityBill } from "../../billing/capacity/bill.ts";
import { listLastCapacityBills } from "../../billing/capacity/bill-store.ts";
import type { CapacityExport, LeaseExport } from "../../billing/export.ts";
import type { DB } from "../../database/types.ts";
import { readOwnGrant } from "../../enablement/grant.ts";
import { findHostKey } from "../../host/key-store.ts";
import { listDeliveryEvents } from "../../lease/event-store.ts";
import { getLeaseOfParty, type Lease, listLeaseIdsWithin } from "../../lease/store.ts";
import { listBatches, readContiguousSeq } from "../../meter/record-store.ts";
import { DELIVERY_EVENTS } from "../../rating/not-delivered.ts";
import { refusal } from "../../refusal/refusal.ts";
import type { LeaseId, PartyId } from "../../unit/id.ts";
import { exportCapacity } from "../capacity/export.ts";
import type { Query } from "../contract/contract.ts";
import type { Handler } from "../handler.ts";

/** A file of more takes longer than a request should, and nobody reads it. */
const LEASES_MAX = 200;
/** Hosts with enabled capacity, each by one provider: with all that their bills rest on. */
const HOSTS_MAX = 50;

export const exportUsage: Handler<"exportUsage"> = async (context, { caller, query }) => {
  const db = context.db.kysely;
  const head = {
    format: "sublet-export" as const,
    version: 2 as const,
    serverId: context.serverId,
    exportedAt: context.clock.now().toISOString(),
    serverKeys: context.keys.all.map((key) => ({ ...key })),
  };
  if (query.billId !== undefined) {
    const { document } = await getBillOfParty(db, caller.partyId, query.billId);
    if (document.kind === "capacity") {
      return { ...head, leases: [], capacity: [await exportCapacity(db, document)] };
    }
  }
  const chosen = await chooseLeases(db, caller.partyId, query);
  const leases: LeaseExport[] = [];
  for (const { leaseId, untilNumber } of chosen) {
    const lease = await getLeaseOfParty(db, caller.partyId, leaseId);
    leases.push(await exportLease(db, lease, untilNumber));
  }
  const capacity: CapacityExport[] = [];
  for (const bill of await chooseCapacity(db, caller.partyId, query)) {
    capacity.push(await exportCapacity(db, bill));
  }
  return { ...head, leases, ...(capacity.length > 0 ? { capacity } : {}) };
};

/** By time; what is asked for by name is that alone. */
async function chooseCapacity(
  db: Kysely<DB>,
  partyId: PartyId,
  { billId, leaseId, from, to }: Query<"exportUsage">,
): Promise<readonly CapacityBill[]> {
  if (billId !== undefined || leaseId !== undefined) return [];
  const within = { partyId, from: from ?? null, to: to ?? null, limit: HOSTS_MAX + 1 };
  const found = await listLastCapacityBills(db, within);
  if (found.length > HOSTS_MAX) throw refusal("export-too-large", { leasesMax: HOSTS_MAX });
  return found;
}

interface Chosen {
  readonly leaseId: LeaseId;
  /** Bills behind this one are left out, with the records that only they rest on. */
  readonly untilNumber: number | null;
}

async function chooseLeases(
  db: Kysely<DB>,
  partyId: PartyId,
  { billId, leaseId, from, to }: Query<"exportUsage">,
): Promise<readonly Chosen[]> {
  if (billId !== undefined) {
    const { document } = await getBillOfParty(db, partyId, billId);
    if (document.kind === "capacity") return [];
    return [{ leaseId: document.leaseId, untilNumber: document.number }];
  }
  if (leaseId !== undefined) return [{ leaseId, untilNumber: null }];
  const within = { partyId, from: from ?? null, to: to ?? null, limit: LEASES_MAX + 1 };
  const found = await listLeaseIdsWithin(db, within);
  if (found.length > LEASES_MAX) throw refusal("export-too-large", { leasesMax: LEASES_MAX });
  return found.map((one) => ({ leaseId: one, untilNumber: null }));
}

/** Up to the first number that is missing: what lies behind it proves nothing yet. */
async function exportLease(
  db: Kysely<DB>,
  lease: Lease,
  untilNumber: number | null,
): Promise<LeaseExport> {
  const kid = lease.grantJws === null ? null : readOwnGrant(lease.grantJws).agentKeyThumbprint;
  const key = kid === null ? undefined : await findHostKey(db, kid);
  const all = await listBillsOfLease(db, lease.leaseId);
  const bills = all.filter(({ bill }) => untilNumber === null || bill.number <= untilNumber);
  const lastSeq = bills.at(-1)?.bill.evidence.finalSeq ?? 0;
  const isWhole = bills.length === all.length && untilNumber === null;
  const seq = isWhole ? await readContiguousSeq(db, lease.leaseId) : lastSeq;
  const batches = await listBatches(db, lease.leaseId, seq);
  return {
    leaseId: lease.leaseId,
    grantJws: lease.grantJws,
    extensionGrantJws: lease.extensions
      .filter(({ state }) => state === "in-force")
      .flatMap(({ grantJws }) => (grantJws === null ? [] : [grantJws])),
    wipeReceiptJws: lease.wipeReceiptJws,
    ...(lease.removalJws === null ? {} : { removalJws: lease.removalJws }),
    events: await listDeliveryEvents(db, lease.leaseId, DELIVERY_EVENTS),
    usageBatches: batches.map(({ jws }) => jws),
    // The one that the grant names: by now the host may have another.
    agentKey: key ? { ...key.jwk } : null,
    bills: [...bills],
  };
}
