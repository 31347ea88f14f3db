import { type Delivering, deliverOnce } from "../../src/billing/delivery/deliver-once.ts";
import { queueDeliveries } from "../../src/billing/delivery/store.ts";
import { transaction } from "../../src/database/transaction.ts";
import { deliveringOf } from "../../src/server/deliveries.ts";
import { type BillId, newId, type PartyId } from "../../src/unit/id.ts";
import {
  becomeReady,
  becomeWiped,
  bookingOf,
  type Market,
  makeRecords,
  readGrant,
  signBatch,
} from "./fake-host.ts";

/** A lease that was used, ended, and billed in this very call. */
export async function billedLease(market: Market): Promise<BillId> {
  const { server, client, host } = market;
  const leaseId = newId("lease");
  await client.call("bookLease", { params: { leaseId }, body: bookingOf() });
  await server.pass();
  const granted = await readGrant(host, leaseId);
  await becomeReady(host, leaseId);
  const records = makeRecords(host, granted, [600, 600]);
  await host.agent.call("sendUsage", { body: { usageJws: signBatch(host, records) } });
  await client.call("endLease", { params: { leaseId } });
  await becomeWiped(host, granted, records);
  await server.pass();
  const { lease } = await client.call("showLease", { params: { leaseId } });
  if (lease.billId === null) throw new Error("the lease was not billed");
  return lease.billId;
}

/** Far enough that the server's own deliveries leave it alone: what a test queues, it sends itself. */
export const LATER_MS = 30 * 86_400_000;
export const later = () => new Date(Date.now() + LATER_MS);

export async function queueLater(market: Market, billId: BillId): Promise<void> {
  const { partyId } = await market.client.call("whoami");
  const bill = { billId, customerPartyId: partyId as PartyId, now: later() };
  await transaction(market.server.database, (tx) => queueDeliveries(tx, bill));
}

/** Sends what is due at `clock`, with what the server itself would send it with. */
export function deliver(
  market: Market,
  change: Partial<Delivering> = {},
  clock: () => Date = later,
): Promise<number> {
  return deliverOnce({ ...deliveringOf(market.server.context), ...change }, clock);
}
