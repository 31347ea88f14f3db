import type { TimeToBill } from "../../enablement/capacity/act.ts";
import { isAnyValid } from "../../meter/describe-capacity.ts";
import { inTransaction } from "../../meter/transaction.ts";
import { DriverError } from "../../partition/driver.ts";
import {
  type ServiceAction,
  type ServiceFacts,
  serviceStep,
} from "../../partition/service-step.ts";
import { isEnding } from "../../partition/step.ts";
import { BACKOFF, backoffMs } from "../../process/backoff.ts";
import type { ServiceId } from "../../unit/id.ts";
import { readPartition } from "../allocation/store.ts";
import type { AgentContext } from "../context.ts";
import { type Guest, listGuests, resizeGuest } from "../guests.ts";
import { readLease } from "../lease/store.ts";
import { writeAct } from "./act-store.ts";
import { listOpenChains } from "./chain-store.ts";
import { type CapacityNow, tellCapacityTime } from "./clock-store.ts";
import { accountsOf } from "./code-store.ts";
import { isCovered, isLetIn } from "./covered.ts";
import { guestFor, heldServices, isHeldBy, sizeWith } from "./guest.ts";
import { hostIdOf } from "./host.ts";
import { billNow, keepSharedMeters, readMeters, seenOf } from "./meters.ts";
import { isPoolHeld, keepRaisedOnce, repinPool } from "./pool.ts";
import { beginMeter, codeOf } from "./reading.ts";
import { freeReserved } from "./reserve.ts";
import {
  changeService,
  deleteService,
  listServices,
  readService,
  type ServiceChange,
  type ServiceRow,
} from "./service-store.ts";

/** More steps than any service takes at once. */
const STEPS_MAX = 12;
/** What the pool has stands for the life of a guest. */
const POOL = "pool";

/** Moves every service as far as it can go now; repeating it does nothing more. */
export async function serveAll(context: AgentContext): Promise<void> {
  for (const { serviceId } of listServices(context.db)) await serve(context, serviceId);
}

/** The failure that stands in the way of what was asked for; null: nothing does. */
export async function serve(
  context: AgentContext,
  serviceId: ServiceId,
): Promise<DriverError | null> {
  for (let i = 0; i < STEPS_MAX; i++) {
    const guests = await listGuests(context);
    const found = readService(context.db, serviceId);
    if (found === null) return null;
    noteReason(context, found);
    const service = readService(context.db, serviceId) ?? found;
    const now = inTransaction(context.db, () => tellCapacityTime(context));
    const action = serviceStep(factsOf(context, now, service, guests));
    if (action.do === "wait") return null;
    context.log.debug({ serviceId, state: service.state, action: action.do }, "capacity step");
    try {
      if (!(await perform(context, service, action, guests))) return null;
    } catch (error) {
      if (!(error instanceof DriverError)) throw error;
      recordFailure(context, service, action, error, guests);
      return error;
    }
  }
  return null;
}

/** What ends a service beside its owner's word and the codes. */
function noteReason(context: AgentContext, service: ServiceRow): void {
  const { partition, leaseId, serviceId, mode, resource, state } = service;
  if (partition === null || service.returnReason !== null || state === "returning") return;
  const known = readPartition(context.db, partition.id);
  const isOtherMode = mode === "dedicated" && resource === "cpu" && known?.cpuMode === "shared";
  const isLeaseOver = leaseId !== null && isOver(context, leaseId);
  const reason =
    known === null
      ? "partition-removed"
      : isLeaseOver
        ? LEASE_END
        : isOtherMode
          ? "mode-change"
          : null;
  if (reason !== null) changeService(context.db, serviceId, { returnReason: reason });
}

/** From the begin of its end on; only its guest's process still has what it was given. */
function isOver({ db }: AgentContext, leaseId: string): boolean {
  const lease = readLease(db, leaseId);
  return lease === null || isEnding(lease.stage);
}

function factsOf(
  context: AgentContext,
  now: CapacityNow,
  service: ServiceRow,
  guests: readonly Guest[],
): ServiceFacts {
  const { db, clock } = context;
  const guest = guestFor(guests, service);
  const { code } = codeOf(context, service);
  const accounts = accountsOf(db, service);
  const isShared = service.mode === "shared";
  const retryAtNs = service.retryAtNs ?? 0n;
  const waitNs = retryAtNs - clock.monotonicNs();
  return {
    state: service.state,
    mode: service.mode,
    // A system that is still booting takes no notice of what is plugged.
    isGuestRunning: guest?.isRunning === true && readLease(db, guest.guestId)?.stage === "ready",
    isAwaited: service.isLent,
    isHeld: isShared ? isPoolHeld(context, service, guests) : isHeldBy(guest, service),
    returnReason: service.returnReason,
    // What a lease has was reserved from codes that are valid until its end.
    isValid:
      service.leaseId !== null ||
      (isAnyValid(accounts, now.atMs) && isLetIn(context, service, now)),
    isCovered: isCovered(context, service, now),
    isTakenOut: service.processId === null,
    isBackingOff: waitNs > 0n && waitNs < BigInt(BACKOFF.effect.mostMs) * 1_000_000n,
    meansInOrder: code.returnMeans,
    means: service.means,
  };
}

/** False: the guest is busy, and is asked again in the next pass. */
async function perform(
  context: AgentContext,
  service: ServiceRow,
  action: Exclude<ServiceAction, { do: "wait" }>,
  guests: readonly Guest[],
): Promise<boolean> {
  const { db } = context;
  const { serviceId } = service;
  const record = (work: (now: CapacityNow) => void) =>
    inTransaction(db, () => work(tellCapacityTime(context)));
  const chains = listOpenChains(db).filter((chain) => chain.serviceId === serviceId);
  switch (action.do) {
    case "abandon":
      // An agent that died behind the plugging has not recorded it.
      if (!(await takeOut(context, service, guests))) return false;
      record((now) => abandon(context, now, service));
      return false;
    case "plug":
      return plug(context, service, guests);
    case "begin":
      record((now) => begin(context, now, service, guests));
      return true;
    case "note-unreturned":
      record((now) => {
        readMeters(context, now, chains, guests, { close: true });
        changeService(db, serviceId, { state: "unreturned" });
        const detail = { serviceId, reason: action.reason, means: null };
        writeAct(db, hostIdOf(context), now, { kind: "unreturned", ...detail });
      });
      return true;
    case "resume":
      record((now) => {
        readMeters(context, now, chains, guests, { close: true });
        changeService(db, serviceId, { state: "in-service", returnReason: null, means: null });
        writeAct(db, hostIdOf(context), now, { kind: "service-covered", serviceId });
      });
      context.log.info({ serviceId }, "capacity is in service again by another code");
      return true;
    case "await-boot":
      changeService(db, serviceId, { means: "next-boot" });
      return true;
    case "retire":
      record((now) => {
        readMeters(context, now, chains, guests, { close: true });
        changeService(db, serviceId, { state: "returning", means: action.means });
      });
      return true;
    case "unplug":
      if (await unplug(context, service, guests)) return true;
      // Its guest is busy: it has it still, so it is metered until it is taken out.
      changeService(db, serviceId, backFrom(context, service));
      return false;
    case "repin":
      // It is free from then on, and was used until then.
      record((now) => readMeters(context, now, chains, guests, { close: true }));
      await repin(context, service, guests);
      return true;
    case "finish":
      record((now) => finish(context, now, service, action.means, guests));
      return true;
  }
}

function abandon(context: AgentContext, now: CapacityNow, service: ServiceRow): void {
  freeReserved(context, now, service);
  deleteService(context.db, service.serviceId);
}

async function plug(context: AgentContext, service: ServiceRow, guests: readonly Guest[]) {
  const guest = guestFor(guests, service);
  if (guest === null || guest.processId === null) return false;
  const services = [...heldServices(context, guest), service];
  if ((await resizeGuest(context, guest.guestId, sizeWith(guest, services))) === null) return false;
  const { processId } = guest;
  const after = await listGuests(context);
  inTransaction(context.db, () => {
    const now = tellCapacityTime(context);
    changeService(context.db, service.serviceId, { processId, failures: 0, retryAtNs: null });
    const chains = listOpenChains(context.db).filter((c) => c.serviceId === service.serviceId);
    readMeters(context, now, chains, after, {});
  });
  return true;
}

export function begin(
  context: AgentContext,
  now: CapacityNow,
  service: ServiceRow,
  guests: readonly Guest[],
): void {
  const { db } = context;
  const { serviceId, providerId, mode, resource, quantity, partition, leaseId } = service;
  const isShared = mode === "shared";
  changeService(db, serviceId, { state: "in-service", ...(isShared ? { processId: POOL } : {}) });
  const detail = { serviceId, providerId, mode, resource, quantity, partition };
  writeAct(db, hostIdOf(context), now, { kind: "service-begun", ...detail });
  const begun = readService(db, serviceId) ?? service;
  if (isShared) keepSharedMeters(context, now, guests);
  else if (partition !== null) {
    const place = { partition, leaseId };
    beginMeter(context, now, begun, place, seenOf(begun, place, guests));
  }
  context.log.info({ serviceId, mode, resource, quantity, partition }, "capacity is in service");
}

/** False: a guest is busy, and has it still. */
async function unplug(context: AgentContext, service: ServiceRow, guests: readonly Guest[]) {
  if (service.mode === "shared") {
    const failure = await keepRaisedOnce(context, guests);
    if (failure === "busy") return false;
    if (failure !== null) throw failure;
  } else {
    if (guestFor(guests, service) === null) return false;
    if (!(await takeOut(context, service, guests))) return false;
  }
  changeService(context.db, service.serviceId, { processId: null });
  return true;
}

/** The guest of a dedicated service has what it has without it, whatever it had; false: it is busy. */
async function takeOut(context: AgentContext, service: ServiceRow, guests: readonly Guest[]) {
  const guest = service.mode === "shared" ? null : guestFor(guests, service);
  if (guest?.isRunning !== true) return true;
  const rest = heldServices(context, guest).filter((one) => one.serviceId !== service.serviceId);
  return (await resizeGuest(context, guest.guestId, sizeWith(guest, rest))) !== null;
}

/** The state before its return was begun: an owner is told to try again, everything else is tried. */
function backFrom(context: AgentContext, service: ServiceRow): ServiceChange {
  const { means, returnReason } = service;
  if (means === null) {
    const isOwners = returnReason === "owner";
    return { state: "in-service", ...(isOwners ? { returnReason: null } : {}) };
  }
  const inOrder = codeOf(context, service).code.returnMeans;
  return { state: "unreturned", means: inOrder[inOrder.indexOf(means) - 1] ?? null };
}

/** Memory cannot be shared like this, so of it nothing comes but the next means. */
async function repin(context: AgentContext, service: ServiceRow, guests: readonly Guest[]) {
  const { db } = context;
  const { serviceId } = service;
  const guest = guestFor(guests, service);
  if (service.resource === "memory") return changeService(db, serviceId, { means: "repin" });
  if (service.mode === "shared") {
    changeService(db, serviceId, { state: "returning", means: "repin" });
    await repinPool(context, guests);
  } else if (guest !== null) {
    const rest = heldServices(context, guest).filter((one) => one.serviceId !== serviceId);
    await context.driver.shareCores(guest.guestId, sizeWith(guest, rest).cores);
  }
  changeService(db, serviceId, { processId: null, means: "repin" });
}

/** At the end of its lease, while the guest runs: the last reading that counts. */
export function retireService(
  context: AgentContext,
  now: CapacityNow,
  service: ServiceRow,
  guests: readonly Guest[],
): void {
  const { serviceId, state } = service;
  if (state !== "in-service" && state !== "unreturned") return;
  const chains = listOpenChains(context.db).filter((chain) => chain.serviceId === serviceId);
  readMeters(context, now, chains, guests, { close: true });
  changeService(context.db, serviceId, { state: "returning", returnReason: LEASE_END });
}

/** At the end of its lease, when no process is left that has it. */
export function endService(
  context: AgentContext,
  now: CapacityNow,
  service: ServiceRow,
  guests: readonly Guest[],
): void {
  if (service.state === "wanted") abandon(context, now, service);
  else finish(context, now, { ...service, returnReason: LEASE_END }, service.means, guests);
}

const LEASE_END = "lease-end";

function finish(
  context: AgentContext,
  now: CapacityNow,
  service: ServiceRow,
  means: ServiceRow["means"],
  guests: readonly Guest[],
): void {
  const { db } = context;
  const { serviceId, providerId } = service;
  const chains = listOpenChains(db).filter((chain) => chain.serviceId === serviceId);
  readMeters(context, now, chains, guests, { final: true });
  freeReserved(context, now, service);
  const reason = service.returnReason ?? "validity-end";
  changeService(db, serviceId, { state: "returned", returnReason: reason });
  writeAct(db, hostIdOf(context), now, { kind: "service-returned", serviceId, reason, means });
  keepSharedMeters(context, now, guests);
  billNow(context, now, providerId, TIME_TO_BILL[reason] ?? "termination", guests);
  context.log.info({ serviceId, reason, means }, "capacity is returned");
}

const TIME_TO_BILL: Readonly<Record<string, TimeToBill>> = {
  owner: "returned",
  "lease-end": "lease-end",
  "mode-change": "mode-change",
  exhausted: "exhausted",
  unreported: "unreported-limit",
};

function recordFailure(
  context: AgentContext,
  service: ServiceRow,
  action: ServiceAction,
  error: DriverError,
  guests: readonly Guest[],
): void {
  const { db } = context;
  const { serviceId, state } = service;
  context.log.warn({ serviceId, state, action: action.do, err: error }, "capacity: no effect");
  if (state === "wanted" && action.do !== "abandon") {
    inTransaction(db, () => abandon(context, tellCapacityTime(context), service));
    return;
  }
  if (state === "returning" && service.returnReason === "owner" && service.means === null) {
    // It was in the guest all the time, and still is.
    changeService(db, serviceId, { state: "in-service", returnReason: null });
    return;
  }
  if (state === "returning") {
    inTransaction(db, () => {
      const now = tellCapacityTime(context);
      const chains = listOpenChains(db).filter((chain) => chain.serviceId === serviceId);
      changeService(db, serviceId, { state: "unreturned" });
      readMeters(context, now, chains, guests, {});
      const reason = service.returnReason ?? "validity-end";
      const detail = { serviceId, reason, means: service.means };
      writeAct(db, hostIdOf(context), now, { kind: "unreturned", ...detail });
    });
    return;
  }
  const failures = service.failures + 1;
  const waitMs = Math.ceil(backoffMs(BACKOFF.effect, failures)) + 1;
  const retryAtNs = context.clock.monotonicNs() + BigInt(waitMs) * 1_000_000n;
  changeService(db, serviceId, { failures, retryAtNs });
}
