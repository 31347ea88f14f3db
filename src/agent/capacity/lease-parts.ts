import type { StandbyPart } from "../../enablement/capacity/lent.ts";
import { reserveTime } from "../../enablement/capacity/reserve.ts";
import {
  isWholeQuantity,
  quantityIn,
  quantityText,
  useText,
} from "../../enablement/capacity/resource.ts";
import type { Grant } from "../../enablement/grant.ts";
import { isEnding } from "../../partition/step.ts";
import { type LeaseId, newId } from "../../unit/id.ts";
import { SIZE_ZERO } from "../../unit/size.ts";
import type { AgentContext } from "../context.ts";
import { standbyParts } from "../grant-parts.ts";
import type { Guest } from "../guests.ts";
import { readLease } from "../lease/store.ts";
import { type CapacityNow, tellCapacityTime } from "./clock-store.ts";
import { accountOf, readCode, reservedOf, type StoredCode } from "./code-store.ts";
import { freeCores, refuseProvider } from "./headroom.ts";
import type { Reserved } from "./reservation-store.ts";
import { keepReserved } from "./reserve.ts";
import { begin } from "./serve.ts";
import { changeService, insertService, listServices, type ServiceRow } from "./service-store.ts";

/**
 * What of a lease is standby's, by codes that their owner has lent. It is reserved with the grant's
 * acceptance, has its cores with the lease's own, is in every life of the guest from its boot on, and
 * is in service when the lease is ready.
 */

/**
 * Reserves all parts of a grant for the whole lease, in the caller's transaction; or gives why not,
 * with nothing changed.
 */
export function acceptParts(context: AgentContext, grant: Grant, restNs: bigint): string | null {
  const parts = standbyParts(grant);
  if (parts.length === 0) return null;
  const now = tellCapacityTime(context);
  const wrong = refuseTogether(context, parts) ?? refuseMode(grant);
  if (wrong !== null) return wrong;
  const found: { part: StandbyPart; stored: StoredCode; kept: readonly Reserved[] }[] = [];
  for (const part of parts) {
    const one = findPart(context, now, grant, part, restNs);
    if (typeof one === "string") return one;
    found.push({ part, ...one });
  }
  for (const { part, stored, kept } of found) insertPart(context, now, grant, part, stored, kept);
  return null;
}

function refuseMode({ partition }: Grant): string | null {
  if (partition.cpuMode === "dedicated") return null;
  return `${partition.name} has shared cpu, and what is lent serves dedicated partitions alone`;
}

/** What a lease on its way out still has will be free: it is waited for when the cores are taken. */
function refuseTogether(context: AgentContext, parts: readonly StandbyPart[]): string | null {
  const codes = new Set(parts.map(({ codeId }) => codeId));
  if (codes.size < parts.length) return "a code is named twice";
  for (const resource of ["cpu", "memory"] as const) {
    const wanted = sumOf(parts.filter((part) => part.resource === resource));
    const inUse = staying(context).filter((service) => service.resource === resource);
    const free = standbyOf(context, resource) - sumOf(inUse);
    if (wanted > 0 && wanted > free) {
      return `${quantityText(resource, wanted)} of standby are granted, and ${quantityText(resource, Math.max(0, free))} are free`;
    }
  }
  return null;
}

function findPart(
  context: AgentContext,
  now: CapacityNow,
  { period }: Grant,
  { codeId, resource, quantity }: StandbyPart,
  restNs: bigint,
): { readonly stored: StoredCode; readonly kept: readonly Reserved[] } | string {
  const { db } = context;
  const stored = readCode(db, codeId);
  if (stored === null || stored.lentAt === null) return `${codeId} is not lent here`;
  const { code } = stored;
  if (code.resource !== resource) return `${codeId} enables ${code.resource} and not ${resource}`;
  if (!isWholeQuantity(resource, quantity)) {
    return `${quantity} of ${resource} are no whole ${resource === "cpu" ? "cores" : "blocks"}`;
  }
  const no = refuseProvider(context, { providerId: code.iss, resource });
  if (no !== null) return no.message;
  const inUse = sumOf(staying(context).filter((one) => one.isLent && one.codeId === codeId));
  if (inUse + quantity > code.quantity) {
    return `${codeId} lets ${quantityText(resource, code.quantity)} in at once, of which ${quantityText(resource, inUse)} are in use`;
  }
  const [startMs, untilMs] = [Date.parse(period.start), Date.parse(period.end)];
  const wholeNs = BigInt(untilMs - startMs) * 1_000_000n;
  const needed = BigInt(quantity) * (restNs < wholeNs ? restNs : wholeNs);
  // A grant is of the server's time, which may be a moment ahead.
  const fromMs = Math.max(now.atMs, startMs);
  const account = { ...accountOf(stored), reserved: reservedOf(db, codeId) };
  const decided = reserveTime([account], { quantity, needed, fromMs, untilMs });
  if (decided.ok) return { stored, kept: decided.parts };
  const { validity } = code;
  return `${codeId} has ${useText(resource, decided.left)} that is not reserved from now until the lease's end, which takes ${useText(resource, needed)}; it is valid from ${validity.start} to ${validity.end}`;
}

function insertPart(
  context: AgentContext,
  now: CapacityNow,
  { leaseId, partition: { partitionId, name } }: Grant,
  { codeId, resource, quantity }: StandbyPart,
  { code }: StoredCode,
  kept: readonly Reserved[],
): void {
  const serviceId = newId("service", now.atMs);
  insertService(context.db, {
    ...{ serviceId, providerId: code.iss, codeId, resource, quantity, mode: "dedicated" },
    ...{ partition: { id: partitionId, name }, leaseId, isLent: true, cores: [] },
    ...{ state: "wanted", processId: null, returnReason: null, means: null },
    ...{ failures: 0, retryAtNs: null, wantedAt: now.at },
  });
  keepReserved(context, now, { serviceId, leaseId }, kept);
}

export type PartsFree = "free" | "soon" | "never";

/** Whether what a lease was promised of the standby is there now: nobody's any more. */
export function arePartsFree(context: AgentContext, leaseId: LeaseId): PartsFree {
  const all = listServices(context.db);
  const mine = partsOf(context, leaseId);
  const isShort = (["cpu", "memory"] as const).some((resource) => {
    const used = sumOf(all.filter((one) => one.resource === resource));
    return mine.some((one) => one.resource === resource) && used > standbyOf(context, resource);
  });
  const count = mine.reduce((sum, one) => sum + missingCores(one), 0);
  if (!isShort && count <= freeCores(context).length) return "free";
  return all.length > staying(context).length ? "soon" : "never";
}

/** Its cores, in the transaction in which the lease gets its own. */
export function takePartCores(context: AgentContext, leaseId: LeaseId): void {
  for (const part of partsOf(context, leaseId)) {
    const count = missingCores(part);
    if (count === 0) continue;
    const cores = freeCores(context).slice(0, count);
    changeService(context.db, part.serviceId, { cores });
  }
}

/** The lease's guest answers, with all of it from its boot on: in the transaction that says so. */
export function beginParts(
  context: AgentContext,
  leaseId: LeaseId,
  guests: readonly Guest[],
): void {
  const wanted = partsOf(context, leaseId).filter(({ state }) => state === "wanted");
  if (wanted.length === 0) return;
  const now = tellCapacityTime(context);
  for (const service of wanted) begin(context, now, service, guests);
}

/** What was granted to the lease of the standby, and is not returned. */
export function partsOf({ db }: AgentContext, leaseId: LeaseId): readonly ServiceRow[] {
  return listServices(db).filter((service) => service.isLent && service.leaseId === leaseId);
}

/** All that is not about to be free by its lease's end. */
function staying({ db }: AgentContext): readonly ServiceRow[] {
  return listServices(db).filter(({ leaseId }) => {
    const lease = leaseId === null ? null : readLease(db, leaseId);
    return lease === null || !isEnding(lease.stage);
  });
}

function standbyOf({ capacity }: AgentContext, resource: StandbyPart["resource"]): number {
  return quantityIn(capacity.standby ?? SIZE_ZERO, resource);
}

function missingCores({ resource, quantity, cores }: ServiceRow): number {
  return resource === "cpu" ? quantity / 1000 - cores.length : 0;
}

function sumOf(all: readonly { readonly quantity: number }[]): number {
  return all.reduce((sum, { quantity }) => sum + quantity, 0);
}
