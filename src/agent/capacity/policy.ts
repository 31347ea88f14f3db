import { inForce, runsOutInNs } from "../../enablement/capacity/account.ts";
import {
  isGraceOver,
  overdueSince,
  strictestReporting,
} from "../../enablement/capacity/overdue.ts";
import { CAPACITY_RESOURCES } from "../../enablement/capacity/resource.ts";
import { isAnyValid } from "../../meter/describe-capacity.ts";
import type { PartyId } from "../../unit/id.ts";
import type { AgentContext } from "../context.ts";
import type { Guest } from "../guests.ts";
import { writeAct } from "./act-store.ts";
import { listOpenChains, unreportedOf } from "./chain-store.ts";
import type { CapacityNow } from "./clock-store.ts";
import { listCodes, ownerAccounts } from "./code-store.ts";
import { hostIdOf } from "./host.ts";
import { billNow } from "./meters.ts";
import { readOverdue, writeOverdue } from "./overdue-store.ts";
import { codeOf } from "./reading.ts";
import { changeService, listServices, readService, type ServiceRow } from "./service-store.ts";
import { type Account, forgetUsedUp, readUsedUp, writeUsedUp } from "./used-up-store.ts";

/** What the codes say is to happen when they are used up, or use stays unreported. */
export function keepPolicies(
  context: AgentContext,
  now: CapacityNow,
  guests: readonly Guest[],
): void {
  const { db } = context;
  for (const providerId of new Set(listCodes(db).map(({ code }) => code.iss))) {
    for (const resource of CAPACITY_RESOURCES) {
      keepReporting(context, now, { providerId, resource }, guests);
      keepExhaustion(context, now, { providerId, resource }, guests);
    }
  }
}

/** Of each resource by itself: one that is used up says nothing of another. */
function keepExhaustion(
  context: AgentContext,
  now: CapacityNow,
  account: Account,
  guests: readonly Guest[],
): void {
  const { db } = context;
  const { providerId, resource } = account;
  // What leases have was reserved for them, and does not run out.
  const services = servicesOf(context, providerId).filter(
    (one) => one.resource === resource && one.leaseId === null,
  );
  const accounts = ownerAccounts(db, account);
  // Codes that are over are another matter: what they enabled is unreturned.
  const isUsedUp = isAnyValid(accounts, now.atMs) && inForce(accounts, now.atMs).length === 0;
  if (!isUsedUp) forgetUsedUp(db, account);
  if (!isUsedUp || services.length === 0) return;
  const since = readUsedUp(db, account) ?? now.at;
  if (readUsedUp(db, account) === null) {
    writeUsedUp(db, account, since);
    writeAct(db, hostIdOf(context), now, { kind: "resource-time-used-up", resource });
    billNow(context, now, providerId, "exhausted", guests);
  }
  for (const service of services) {
    const { policy, graceSeconds } = codeOf(context, service).code.exhaustion;
    const isDue = policy === "reclaim" && isGraceOver(since, graceSeconds, now.at);
    if (isDue) reclaim(context, service, "exhausted");
  }
}

/** Of each resource by itself, too: what is used of one is in another unit than of the other. */
function keepReporting(
  context: AgentContext,
  now: CapacityNow,
  account: Account,
  guests: readonly Guest[],
): void {
  const { db } = context;
  const { providerId, resource } = account;
  const codes = listCodes(db)
    .map(({ code }) => code)
    .filter((code) => code.iss === providerId && code.resource === resource);
  const terms = strictestReporting(codes, now.atMs);
  if (terms === null) return;
  const before = readOverdue(db, account);
  const since = overdueSince(unreportedOf(db, account), terms, before, now.at);
  if (since !== before) writeOverdue(db, account, since);
  if (since !== null && before === null) {
    context.log.warn({ ...account, since }, "use is unreported for too long; export a report");
    billNow(context, now, providerId, "unreported-limit", guests);
  }
  if (!isGraceOver(since, terms.graceSeconds, now.at)) return;
  for (const service of servicesOf(context, providerId)) {
    if (service.resource === resource) reclaim(context, service, "unreported");
  }
}

/** Never from a leased partition: its client was promised what it has. */
function reclaim({ db, log }: AgentContext, service: ServiceRow, reason: string): void {
  const { serviceId, leaseId, returnReason } = service;
  if (leaseId !== null || returnReason !== null || service.state === "unreturned") return;
  changeService(db, serviceId, { returnReason: reason });
  log.warn({ serviceId, reason }, "capacity is reclaimed");
}

function servicesOf({ db }: AgentContext, providerId: PartyId): readonly ServiceRow[] {
  return listServices(db).filter((service) => service.providerId === providerId);
}

export interface Outlook {
  /** milliCores or bytes that are debited on average now. */
  readonly burn: number;
  /** In how many seconds the codes are used up; null: nothing is debited. */
  readonly runsOutInSeconds: number | null;
}

/**
 * At what rate the owner uses its codes, by the last record of each meter, and how long they last.
 * What leases use is reserved beside that.
 */
export function outlookOf({ db }: AgentContext, account: Account, atMs: number): Outlook {
  const isOwners = (service: ServiceRow | null) =>
    service?.resource === account.resource && service.leaseId === null;
  const burn = listOpenChains(db)
    .filter((chain) => chain.providerId === account.providerId && chain.lastElapsed > 0n)
    .filter((chain) => isOwners(readService(db, chain.serviceId)))
    .reduce((sum, { lastMetered, lastElapsed }) => sum + Number(lastMetered / lastElapsed), 0);
  const accounts = ownerAccounts(db, account);
  const leftNs = runsOutInNs(accounts, atMs, burn);
  return { burn, runsOutInSeconds: leftNs === null ? null : Number(leftNs / 1_000_000_000n) };
}
