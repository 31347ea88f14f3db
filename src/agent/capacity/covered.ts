import { quantityInForce } from "../../enablement/capacity/account.ts";
import type { AgentContext } from "../context.ts";
import type { CapacityNow } from "./clock-store.ts";
import { ownerAccounts } from "./code-store.ts";
import { readOverdue } from "./overdue-store.ts";
import { listServices, type ServiceRow } from "./service-store.ts";

/**
 * Whether the valid codes of its provider let in as much at once as began up to this service: when
 * one of several codes is over, what began last has to go. Leases have what is theirs reserved.
 */
export function isLetIn({ db }: AgentContext, service: ServiceRow, now: CapacityNow): boolean {
  const { serviceId, providerId, resource } = service;
  const own = listServices(db)
    .filter((one) => one.providerId === providerId && one.resource === resource)
    .filter(({ state, leaseId }) => state === "in-service" && leaseId === null);
  const upToIt = own.slice(0, own.findIndex((one) => one.serviceId === serviceId) + 1);
  const valid = ownerAccounts(db, { providerId, resource }).filter(
    ({ validFromMs, validUntilMs }) => validFromMs <= now.atMs && now.atMs < validUntilMs,
  );
  const sum = (of: readonly { readonly quantity: number }[]) =>
    of.reduce((all, { quantity }) => all + quantity, 0);
  return sum(upToIt) <= sum(valid);
}

/** What a further code, or a receipt, makes good. What its owner or a lease's end wants out is not. */
const BY_ITS_CODES: ReadonlySet<string | null> = new Set([null, "exhausted", "unreported"]);

/**
 * Whether a service that was not given back may go on: the codes in force of its provider are for
 * as much as is in service by them, this one included, and nothing of that resource is overdue for a report.
 */
export function isCovered({ db }: AgentContext, service: ServiceRow, now: CapacityNow): boolean {
  const { serviceId, providerId, resource, quantity, state, returnReason } = service;
  if (state !== "unreturned" || !BY_ITS_CODES.has(returnReason)) return false;
  if (readOverdue(db, { providerId, resource }) !== null) return false;
  const beside = listServices(db)
    .filter((one) => one.providerId === providerId && one.resource === resource)
    .filter((one) => one.serviceId !== serviceId && one.state !== "unreturned" && !one.isLent)
    .reduce((sum, one) => sum + one.quantity, 0);
  return (
    beside + quantity <= quantityInForce(ownerAccounts(db, { providerId, resource }), now.atMs)
  );
}
