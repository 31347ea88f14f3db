import { type Reserving, reserveTime } from "../../enablement/capacity/reserve.ts";
import {
  type CapacityResource,
  quantityText,
  useText,
} from "../../enablement/capacity/resource.ts";
import { type Refusal, refusal } from "../../refusal/refusal.ts";
import { formatBytes, formatCpu } from "../../unit/quantity.ts";
import type { AgentContext } from "../context.ts";
import { restOf } from "../lease/deadline.ts";
import type { LeaseRow } from "../lease/store.ts";
import { writeAct } from "./act-store.ts";
import type { CapacityNow } from "./clock-store.ts";
import { accountsOf, ownerAccounts } from "./code-store.ts";
import { hostIdOf } from "./host.ts";
import { deleteReserved, insertReserved, type Reserved, reservedFor } from "./reservation-store.ts";
import { listServices, type ServiceRow } from "./service-store.ts";
import { forgetUsedUp } from "./used-up-store.ts";

/** Resource-time that is kept for leases, so that what a client was given lasts as long as its lease. */

interface Wanted extends Pick<ServiceRow, "providerId" | "resource" | "quantity"> {}

/** From which of the owner's codes the rest of a lease can be reserved; a refusal tells how much lacks. */
export function reserveRest(
  context: AgentContext,
  now: CapacityNow,
  lease: LeaseRow,
  wanted: Wanted,
): readonly Reserved[] | Refusal {
  const { resource, quantity } = wanted;
  const restNs = restOf(context, lease);
  const untilMs = Date.parse(lease.endsAt ?? now.at);
  const needed = BigInt(quantity) * restNs;
  const wish = { quantity, needed, fromMs: now.atMs, untilMs };
  const decided = reserveTime(ownerAccounts(context.db, wanted), wish);
  if (decided.ok) return decided.parts;
  const seconds = Number((restNs + 999_999_999n) / 1_000_000_000n);
  return refusal("capacity-not-reservable", {
    wanted: quantityText(resource, quantity),
    until: new Date(untilMs).toISOString(),
    needed: useText(resource, needed),
    left: useText(resource, decided.left),
    atOnce: quantityText(resource, decided.atOnce),
    request: `${requestText(resource, quantity)} --for ${seconds}s`,
  });
}

/**
 * Reserves for a lease that gets longer what its services take in that time, all or nothing; in the
 * caller's transaction. Gives why not, or null when it is done.
 */
export function reserveLonger(
  context: AgentContext,
  now: CapacityNow,
  lease: LeaseRow,
  end: string,
): string | null {
  const { db } = context;
  const { leaseId, endsAt } = lease;
  const fromMs = Date.parse(endsAt ?? end);
  const untilMs = Date.parse(end);
  const longerNs = BigInt(untilMs - fromMs) * 1_000_000n;
  const services = listServices(db).filter((service) => service.leaseId === leaseId);
  const found: { service: ServiceRow; decided: Reserving; needed: bigint }[] = [];
  for (const service of services) {
    const { quantity, resource } = service;
    const needed = BigInt(quantity) * longerNs;
    const decided = reserveTime(freeOf(context, service, found), {
      ...{ quantity, needed, fromMs, untilMs },
    });
    if (!decided.ok) {
      const has = useText(resource, decided.left);
      return `${quantityText(resource, quantity)} of the lease is standby's, and until ${end} would take ${useText(resource, needed)} more; the codes that are valid until then have ${has} that is not reserved, so let the host's owner add one`;
    }
    found.push({ service, decided, needed });
  }
  for (const { service, decided } of found) {
    if (decided.ok) keepReserved(context, now, service, decided.parts);
  }
  return null;
}

/** What a service may draw on beyond what it has, less what was found for those before it. */
function freeOf(
  { db }: AgentContext,
  service: ServiceRow,
  found: readonly { readonly decided: Reserving }[],
) {
  const taken = found.flatMap(({ decided }) => (decided.ok ? decided.parts : []));
  return accountsOf(db, service).map((account) => {
    const more = taken.filter(({ codeId }) => codeId === account.codeId);
    const sum = more.reduce((all, { quantity }) => all + quantity, 0n);
    return { ...account, reserved: (account.reserved ?? 0n) + (account.own ?? 0n) + sum };
  });
}

/** With the act of it, in the caller's transaction. */
export function keepReserved(
  context: AgentContext,
  now: CapacityNow,
  { serviceId, leaseId }: Pick<ServiceRow, "serviceId" | "leaseId">,
  parts: readonly Reserved[],
): void {
  if (leaseId === null) throw new Error(`${serviceId} is for no lease`);
  insertReserved(context.db, serviceId, parts);
  const codes = parts.map(({ codeId, quantity }) => ({ codeId, quantity: `${quantity}` }));
  const detail = { serviceId, leaseId, codes };
  writeAct(context.db, hostIdOf(context), now, { kind: "resource-time-reserved", ...detail });
}

/** What a service has reserved and not used is anybody's again; in the caller's transaction. */
export function freeReserved(
  context: AgentContext,
  now: CapacityNow,
  { serviceId, ...account }: Pick<ServiceRow, "serviceId" | "providerId" | "resource">,
): void {
  if (reservedFor(context.db, serviceId).length === 0) return;
  deleteReserved(context.db, serviceId);
  writeAct(context.db, hostIdOf(context), now, { kind: "resource-time-freed", serviceId });
  forgetUsedUp(context.db, account);
}

function requestText(resource: CapacityResource, quantity: number): string {
  if (resource === "cpu") return `--cpu ${formatCpu(quantity)}`;
  return `--memory ${formatBytes(quantity)}`;
}
