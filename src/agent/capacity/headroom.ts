import {
  type CodeAccount,
  inForce,
  leftOf,
  quantityInForce,
} from "../../enablement/capacity/account.ts";
import { type CapacityResource, quantityIn } from "../../enablement/capacity/resource.ts";
import { type Refusal, refusal } from "../../refusal/refusal.ts";
import type { CodeId, PartyId } from "../../unit/id.ts";
import { SIZE_ZERO } from "../../unit/size.ts";
import type { AgentContext } from "../context.ts";
import { isTrusted, readPinned } from "../trust/store.ts";
import { type AccountKey, listCodes, ownerAccounts } from "./code-store.ts";
import { readOverdue } from "./overdue-store.ts";
import { reservedFor } from "./reservation-store.ts";
import { listServices, type ServiceRow } from "./service-store.ts";

/** How much more of the standby may be put into service, by the codes and by what there is. */

/** An untrusted provider, what was not given back, or is unreported too long, lets nothing begin. */
export function refuseProvider(
  { db }: AgentContext,
  { providerId, resource }: AccountKey,
): Refusal | null {
  if (!isTrusted(db, providerId)) {
    const name = readPinned(db, providerId)?.name ?? providerId;
    return refusal("provider-untrusted", { providerId, name });
  }
  const unreturned = listServices(db).find(({ state }) => state === "unreturned");
  if (unreturned) return refusal("capacity-unreturned", { serviceId: unreturned.serviceId });
  const isOverdue = readOverdue(db, { providerId, resource }) !== null;
  return isOverdue ? refusal("capacity-unreported", { providerId, resource }) : null;
}

export function refuseMore(
  context: AgentContext,
  key: AccountKey,
  { quantity: wanted, atMs }: { readonly quantity: number; readonly atMs: number },
): Refusal | null {
  const { resource } = key;
  const free = Math.max(0, freeAtOnce(context, key, atMs));
  if (wanted > free) return refusal("capacity-beyond-codes", { resource, wanted, free });
  const rest = freeStandby(context, resource, atMs);
  return wanted > rest ? refusal("standby-taken", { resource, wanted, free: rest }) : null;
}

/**
 * How much more the codes let the host's owner put into service at once, without one of them; below
 * zero when that lets in less than there is.
 */
export function freeAtOnce(
  { db }: AgentContext,
  key: AccountKey,
  atMs: number,
  without?: CodeId,
): number {
  const accounts = ownerAccounts(db, key).filter(({ codeId }) => codeId !== without);
  const usable = new Set(inForce(accounts, atMs).map(({ codeId }) => codeId));
  const inService = listServices(db)
    .filter((one) => one.providerId === key.providerId && one.resource === key.resource)
    .filter(({ isLent }) => !isLent)
    .reduce((sum, one) => sum + one.quantity - wholly(one), 0);
  return quantityInForce(accounts, atMs) - inService;

  // A code whose rest is reserved counts no more; so what its lease has by it counts neither.
  function wholly({ serviceId, quantity }: ServiceRow): number {
    const codes = reservedFor(db, serviceId)
      .map(({ codeId }) => accounts.find((account) => account.codeId === codeId))
      .filter((account): account is CodeAccount => account !== undefined);
    const gone = codes.filter(({ codeId }) => !usable.has(codeId));
    return Math.min(
      quantity,
      gone.reduce((sum, account) => sum + account.quantity, 0),
    );
  }
}

/** What of the standby is in no service and promised by no code that is lent. */
export function freeStandby(
  context: AgentContext,
  resource: CapacityResource,
  atMs: number,
): number {
  const { db, capacity } = context;
  const standby = quantityIn(capacity.standby ?? SIZE_ZERO, resource);
  const services = listServices(db).filter((service) => service.resource === resource);
  const owners = services
    .filter(({ isLent }) => !isLent)
    .reduce((sum, { quantity }) => sum + quantity, 0);
  const rest = standby - owners - promised(context, resource, atMs);
  return resource === "cpu" ? Math.min(rest, freeCores(context).length * 1000) : rest;
}

/** To leases, by codes that are lent: what those let in at once, or still have in a guest. */
export function promised({ db }: AgentContext, resource: CapacityResource, atMs: number): number {
  const services = listServices(db);
  return listCodes(db)
    .filter(({ code, lentAt }) => code.resource === resource && lentAt !== null)
    .reduce((sum, { code }) => {
      const inService = services
        .filter(({ codeId, isLent }) => codeId === code.jti && isLent)
        .reduce((total, { quantity }) => total + quantity, 0);
      const isOver = Date.parse(code.validity.end) <= atMs;
      return sum + Math.max(isOver ? 0 : code.quantity, inService);
    }, 0);
}

export function freeCores({ db, capacity }: AgentContext): readonly number[] {
  const taken = new Set(listServices(db).flatMap(({ cores }) => cores));
  return (capacity.facts.standbyCores ?? []).filter((core) => !taken.has(core));
}

/** Whose code expires first, of those that the owner may draw on; trusted ones before others. */
export function firstProvider(
  { db }: AgentContext,
  resource: CapacityResource,
  atMs: number,
): PartyId | null {
  const providers = new Set(listCodes(db).map(({ code }) => code.iss));
  const accounts = [...providers]
    .flatMap((providerId) => ownerAccounts(db, { providerId, resource }))
    .filter((account) => leftOf(account) > 0n);
  const usable = inForce(accounts, atMs).map(({ providerId }) => providerId);
  return usable.find((providerId) => isTrusted(db, providerId)) ?? usable[0] ?? null;
}
