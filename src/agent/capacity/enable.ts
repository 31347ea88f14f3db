import {
  type CodeAccount,
  inForce,
  leftOf,
  quantityInForce,
} from "../../enablement/capacity/account.ts";
import { checkConsent, consentStatement } from "../../enablement/capacity/consent.ts";
import {
  type CapacityResource,
  isWholeQuantity,
  MEMORY_STEP_BYTES,
  quantityIn,
} from "../../enablement/capacity/resource.ts";
import { inTransaction } from "../../meter/transaction.ts";
import { Refusal, refusal } from "../../refusal/refusal.ts";
import { type LeaseId, newId, type PartyId, type ServiceId } from "../../unit/id.ts";
import { SIZE_ZERO } from "../../unit/size.ts";
import { listPartitions } from "../allocation/store.ts";
import type { AgentContext } from "../context.ts";
import { listGuests } from "../guests.ts";
import { holderOf } from "../lease/store.ts";
import { isTrusted, readPinned } from "../trust/store.ts";
import { type Accepted, acceptCode } from "./accept.ts";
import { listOpenChains } from "./chain-store.ts";
import { tellCapacityTime } from "./clock-store.ts";
import { accountOf, listAccounts, listCodes } from "./code-store.ts";
import { isLeased } from "./host.ts";
import { readMeters } from "./meters.ts";
import { readProvider } from "./provider-store.ts";
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
  const resource = accepted?.code.resource ?? wish.resource ?? "cpu";
  if (wish.resource !== undefined && wish.resource !== resource) {
    const message = `the code enables ${resource} and not ${wish.resource}`;
    return refusal("capacity-wrong-mode", { message });
  }
  const providerId = accepted?.code.iss ?? firstProvider(context, resource, now.atMs);
  if (providerId === null) return refusal("capacity-none", { resource });
  const accounts = listAccounts(db, providerId, resource);
  const usable = inForce(accounts, now.atMs);
  const codeId = usable.some((one) => one.codeId === accepted?.code.jti)
    ? accepted?.code.jti
    : usable[0]?.codeId;
  if (codeId === undefined) return refusal("capacity-none", { resource });
  const quantity = wish.quantity ?? accepted?.code.quantity ?? freeOf(context, accounts, now.atMs);
  if (quantity === 0) {
    const wanted = resource === "cpu" ? 1000 : MEMORY_STEP_BYTES;
    return refusal("capacity-beyond-codes", { resource, wanted, free: 0 });
  }
  if (!isWholeQuantity(resource, quantity)) return refusal("capacity-not-whole", { resource });
  const no =
    refuseProvider(context, providerId) ??
    refuseMore(context, accounts, { resource, quantity, atMs: now.atMs });
  if (no !== null) return no;
  const place =
    wish.shared === true
      ? poolPlace(context, resource, providerId)
      : placeOf(context, wish, { resource, quantity, codeId });
  if (place instanceof Refusal) return place;
  const serviceId = newId("service", now.atMs);
  const count = resource === "cpu" ? quantity / 1000 : 0;
  insertService(db, {
    ...{ serviceId, providerId, codeId, resource, quantity, ...place },
    cores: freeCores(context).slice(0, count),
    ...{ state: "wanted", processId: null, returnReason: null, means: null },
    ...{ failures: 0, retryAtNs: null, wantedAt: now.at },
  });
  return serviceId;
}

type Place = Pick<ServiceRow, "mode" | "partition" | "leaseId">;

function poolPlace(
  { db, capacity }: AgentContext,
  resource: CapacityResource,
  providerId: PartyId,
): Place | Refusal {
  if (resource === "memory") {
    const message = "memory is not shared between guests; give it to one with --partition";
    return refusal("capacity-wrong-mode", { message });
  }
  if (!capacity.facts.sharedCpu) {
    const message = `this host cannot share cpu: ${capacity.facts.controlGroupsReason}; enable it for one partition with --partition`;
    return refusal("capacity-wrong-mode", { message });
  }
  const other = listServices(db).find(
    (service) => service.mode === "shared" && service.providerId !== providerId,
  );
  if (other) return refusal("capacity-in-use-otherwise", { providerId: other.providerId });
  return { mode: "shared", partition: null, leaseId: null };
}

function placeOf(
  { db }: AgentContext,
  { partition: name = "", consent }: EnableWish,
  about: {
    readonly resource: CapacityResource;
    readonly quantity: number;
    readonly codeId: string;
  },
): Place | Refusal {
  const known = listPartitions(db).find((one) => one.name === name);
  if (known === undefined) return refusal("not-found", { what: "partition", id: name });
  if (known.cpuMode === "shared" && about.resource === "cpu") {
    const message = `${name} has shared cpu, which gets more through the pool; enable it with --shared`;
    return refusal("capacity-wrong-mode", { message });
  }
  const partition = { id: known.partitionId, name };
  const holder = holderOf(db, known.partitionId);
  if (holder === null || !isLeased(holder)) return { mode: "dedicated", partition, leaseId: null };
  const { leaseId } = holder;
  const consented = { leaseId, ...about };
  if (consent === undefined) {
    const statement = consentStatement(consented);
    return refusal("capacity-consent-missing", { partition: name, leaseId, statement });
  }
  const checked = checkConsent(consented, consent, holder.granted?.clientKey ?? "");
  if (!checked.ok) return refusal("capacity-consent-refused", { message: checked.message });
  return { mode: "dedicated", partition, leaseId: leaseId as LeaseId };
}

/** An untrusted provider, what was not given back, or is unreported too long, lets nothing begin. */
function refuseProvider({ db }: AgentContext, providerId: PartyId): Refusal | null {
  if (!isTrusted(db, providerId)) {
    const name = readPinned(db, providerId)?.name ?? providerId;
    return refusal("provider-untrusted", { providerId, name });
  }
  const unreturned = listServices(db).find(({ state }) => state === "unreturned");
  if (unreturned) return refusal("capacity-unreturned", { serviceId: unreturned.serviceId });
  const { overdueSince } = readProvider(db, providerId);
  return overdueSince === null ? null : refusal("capacity-unreported", { providerId });
}

function refuseMore(
  context: AgentContext,
  accounts: readonly CodeAccount[],
  wish: { readonly resource: CapacityResource; readonly quantity: number; readonly atMs: number },
): Refusal | null {
  const { resource, quantity: wanted, atMs } = wish;
  const { db, capacity } = context;
  const free = freeOf(context, accounts, atMs);
  if (wanted > free) return refusal("capacity-beyond-codes", { resource, wanted, free });
  const standby = quantityIn(capacity.standby ?? SIZE_ZERO, resource);
  const inUse = listServices(db)
    .filter((service) => service.resource === resource)
    .reduce((sum, { quantity }) => sum + quantity, 0);
  const rest =
    resource === "cpu"
      ? Math.min(standby - inUse, freeCores(context).length * 1000)
      : standby - inUse;
  return wanted > rest ? refusal("standby-taken", { resource, wanted, free: rest }) : null;
}

/** How much more the codes let into service at once. */
function freeOf({ db }: AgentContext, accounts: readonly CodeAccount[], atMs: number): number {
  const [first] = accounts;
  if (first === undefined) return 0;
  const inService = listServices(db)
    .filter((one) => one.providerId === first.providerId && one.resource === first.resource)
    .reduce((sum, { quantity }) => sum + quantity, 0);
  return Math.max(0, quantityInForce(accounts, atMs) - inService);
}

function freeCores({ db, capacity }: AgentContext): readonly number[] {
  const taken = new Set(listServices(db).flatMap(({ cores }) => cores));
  return (capacity.facts.standbyCores ?? []).filter((core) => !taken.has(core));
}

/** Whose code expires first, of those that are trusted. */
function firstProvider(
  { db }: AgentContext,
  resource: CapacityResource,
  atMs: number,
): PartyId | null {
  const accounts = listCodes(db)
    .map(accountOf)
    .filter((one) => one.resource === resource && leftOf(one) > 0n);
  const usable = inForce(accounts, atMs).map(({ providerId }) => providerId);
  return usable.find((providerId) => isTrusted(db, providerId)) ?? usable[0] ?? null;
}
