import { type CodeAccount, inForce } from "../../enablement/capacity/account.ts";
import {
  type CapacityResource,
  isWholeQuantity,
  MEMORY_STEP_BYTES,
} from "../../enablement/capacity/resource.ts";
import { inTransaction } from "../../meter/transaction.ts";
import { Refusal, refusal } from "../../refusal/refusal.ts";
import { type CodeId, newId, type PartyId, type ServiceId } from "../../unit/id.ts";
import type { AgentContext } from "../context.ts";
import { listGuests } from "../guests.ts";
import type { LeaseRow } from "../lease/store.ts";
import { type Accepted, acceptCode } from "./accept.ts";
import { listOpenChains } from "./chain-store.ts";
import { type CapacityNow, tellCapacityTime } from "./clock-store.ts";
import { ownerAccounts, readCode } from "./code-store.ts";
import { firstProvider, freeAtOnce, freeCores, refuseMore, refuseProvider } from "./headroom.ts";
import { readMeters } from "./meters.ts";
import { type Place, placeOf, poolPlace, refuseUnasked } from "./place.ts";
import { keepReserved, reserveRest } from "./reserve.ts";
import { serve } from "./serve.ts";
import { insertService, listServices, readService, type ServiceRow } from "./service-store.ts";
import { inCapacityTurn } from "./turn.ts";

/** What the owner wants enabled, and into what. */
export interface EnableWish {
  /** A code's text; left out: of what is in the accounts. */
  readonly code?: string | undefined;
  /** Into this partition alone. */
  readonly partition?: string | undefined;
  /** Into the pool. */
  readonly shared?: boolean | undefined;
  /** What and how much; left out: all that the code enables. */
  readonly resource?: CapacityResource | undefined;
  readonly quantity?: number | undefined;
  /** Of a leased partition: what its client has signed. */
  readonly consent?: string | undefined;
}

export interface Enabled {
  readonly codeId: string | null;
  readonly isAlreadyApplied: boolean;
  /** Null: the code is in the accounts, and nothing was put into service. */
  readonly service: ServiceRow | null;
}

/** Accepts a code and puts it into service as far as asked. Repeating it changes nothing. */
export function enable(context: AgentContext, wish: EnableWish): Promise<Enabled | Refusal> {
  return inCapacityTurn(context, async () => {
    const accepted = wish.code === undefined ? null : await enter(context, wish.code);
    if (accepted instanceof Refusal) return accepted;
    const codeId = accepted?.code.jti ?? null;
    const isAlreadyApplied = accepted?.isAlreadyApplied ?? false;
    const isLent = codeId !== null && readCode(context.db, codeId)?.lentAt;
    if (isLent) return refusal("code-lent", { codeId });
    if (wish.partition === undefined && wish.shared !== true) {
      return { codeId, isAlreadyApplied, service: null };
    }
    const before =
      accepted &&
      (accepted.resumed.find(isFor(wish, accepted)) ?? findSame(context, wish, accepted));
    if (before) {
      // The agent may have died between the wish and its doing.
      await serve(context, before.serviceId);
      const service = readService(context.db, before.serviceId) ?? before;
      return { codeId, isAlreadyApplied, service };
    }
    const wanted = inTransaction(context.db, () => want(context, wish, accepted));
    if (wanted instanceof Refusal) return wanted;
    const failure = await serve(context, wanted);
    const service = readService(context.db, wanted);
    if (service !== null) return { codeId, isAlreadyApplied, service };
    return refusal("capacity-not-taken", { message: failure?.message ?? "the guest is gone" });
  });
}

interface Entered extends Accepted {
  /** What had not been given back, and goes on by this code. */
  readonly resumed: readonly ServiceRow[];
}

/** What was used until now is not drawn from the code that comes. */
async function enter(context: AgentContext, text: string): Promise<Entered | Refusal> {
  const guests = await listGuests(context);
  inTransaction(context.db, () => {
    const now = tellCapacityTime(context);
    readMeters(context, now, listOpenChains(context.db), guests, { close: true });
  });
  const accepted = acceptCode(context, text);
  if (accepted instanceof Refusal) return accepted;
  const resumed: ServiceRow[] = [];
  for (const { serviceId, state } of listServices(context.db)) {
    if (state !== "unreturned") continue;
    await serve(context, serviceId);
    const service = readService(context.db, serviceId);
    if (service?.state === "in-service") resumed.push(service);
  }
  return { ...accepted, resumed };
}

/** Whether a service is what the command wants. */
function isFor(wish: EnableWish, { code }: Accepted): (service: ServiceRow) => boolean {
  return ({ mode, resource, quantity, partition }) =>
    resource === code.resource &&
    quantity === (wish.quantity ?? code.quantity) &&
    (wish.shared === true
      ? mode === "shared"
      : mode === "dedicated" && partition?.name === wish.partition);
}

/** The service that the same command began before. */
function findSame({ db }: AgentContext, wish: EnableWish, accepted: Accepted): ServiceRow | null {
  const isWanted = isFor(wish, accepted);
  const isSame = (service: ServiceRow) => service.codeId === accepted.code.jti && isWanted(service);
  return listServices(db).find(isSame) ?? null;
}

/** Records the wish, or says why it cannot be; the checks are in the order of what helps first. */
function want(
  context: AgentContext,
  wish: EnableWish,
  accepted: Accepted | null,
): ServiceId | Refusal {
  const { db } = context;
  const now = tellCapacityTime(context);
  const source = sourceOf(context, now, wish, accepted);
  if (source instanceof Refusal) return source;
  const { providerId, resource, accounts } = source;
  const atMs = now.atMs;
  const quantity =
    wish.quantity ?? accepted?.code.quantity ?? Math.max(0, freeAtOnce(context, source, atMs));
  if (quantity === 0) {
    const wanted = resource === "cpu" ? 1000 : MEMORY_STEP_BYTES;
    return refusal("capacity-beyond-codes", { resource, wanted, free: 0 });
  }
  if (!isWholeQuantity(resource, quantity)) return refusal("capacity-not-whole", { resource });
  const no = refuseProvider(context, source) ?? refuseMore(context, source, { quantity, atMs });
  if (no !== null) return no;
  const place =
    wish.shared === true
      ? poolPlace(context, resource, providerId)
      : placeOf(context, wish.partition ?? "", resource);
  if (place instanceof Refusal) return place;
  const codeId = codeToBegin(accounts, accepted, place.lease);
  const kept = keptFor(context, now, place, { providerId, resource, quantity, codeId }, wish);
  if (kept instanceof Refusal) return kept;
  const serviceId = newId("service", now.atMs);
  const count = resource === "cpu" ? quantity / 1000 : 0;
  insertService(db, {
    ...{ serviceId, providerId, codeId, resource, quantity, ...place.service },
    isLent: false,
    cores: freeCores(context).slice(0, count),
    ...{ state: "wanted", processId: null, returnReason: null, means: null },
    ...{ failures: 0, retryAtNs: null, wantedAt: now.at },
  });
  if (place.lease !== null) {
    keepReserved(context, now, { serviceId, leaseId: place.lease.leaseId }, kept);
  }
  return serviceId;
}

interface Source {
  readonly providerId: PartyId;
  readonly resource: CapacityResource;
  /** In force, with something left, the one that expires first before the next; not empty. */
  readonly accounts: readonly CodeAccount[];
}

/** Whose codes, of what. */
function sourceOf(
  context: AgentContext,
  now: CapacityNow,
  wish: EnableWish,
  accepted: Accepted | null,
): Source | Refusal {
  const resource = accepted?.code.resource ?? wish.resource ?? "cpu";
  if (wish.resource !== undefined && wish.resource !== resource) {
    const message = `the code enables ${resource} and not ${wish.resource}`;
    return refusal("capacity-wrong-mode", { message });
  }
  const providerId = accepted?.code.iss ?? firstProvider(context, resource, now.atMs);
  if (providerId === null) return refusal("capacity-none", { resource });
  const accounts = inForce(ownerAccounts(context.db, { providerId, resource }), now.atMs);
  if (accounts.length === 0) return refusal("capacity-none", { resource });
  return { providerId, resource, accounts };
}

/** The one that was given, if it counts; for a lease one that lasts as long as it, if there is any. */
function codeToBegin(
  accounts: readonly CodeAccount[],
  accepted: Accepted | null,
  lease: LeaseRow | null,
): CodeId {
  const untilMs = Date.parse(lease?.endsAt ?? "");
  const lasting = accounts.filter(({ validUntilMs }) => lease === null || untilMs <= validUntilMs);
  const given = [lasting, accounts].flat().find(({ codeId }) => codeId === accepted?.code.jti);
  const [first] = [given, lasting[0], accounts[0]].filter((account) => account !== undefined);
  if (first === undefined) throw new Error("a source has accounts");
  return first.codeId;
}

/** What is kept for a lease, whose client has signed that it is given more; of others nothing. */
function keptFor(
  context: AgentContext,
  now: CapacityNow,
  { lease }: Place,
  wanted: Pick<ServiceRow, "providerId" | "resource" | "quantity" | "codeId">,
  wish: EnableWish,
) {
  if (lease === null) return [];
  const parts = reserveRest(context, now, lease, wanted);
  if (parts instanceof Refusal) return parts;
  return refuseUnasked(lease, wanted, wish) ?? parts;
}
