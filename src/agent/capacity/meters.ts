import type { TimeToBill } from "../../enablement/capacity/act.ts";
import { edgesBetween } from "../../enablement/capacity/billing-period.ts";
import { lastReadingOf } from "../../meter/spool.ts";
import type { PartyId } from "../../unit/id.ts";
import { listPartitions, readPartition } from "../allocation/store.ts";
import type { AgentContext } from "../context.ts";
import type { Guest } from "../guests.ts";
import { sayTimeToBill } from "./bill.ts";
import { type ChainRow, listOpenChains } from "./chain-store.ts";
import type { CapacityNow } from "./clock-store.ts";
import { guestFor, guestOf, isHeldBy } from "./guest.ts";
import { offReasonOf } from "./pause.ts";
import { beginMeter, codeOf, type ReadingMode, type Seen, takeReadingOf } from "./reading.ts";
import { IN_FORCE, listServices, readService, type ServiceRow } from "./service-store.ts";

/** What is read of a chain's guest; a guest of another lease is none of its. */
export function seenOf(
  service: ServiceRow,
  { partition, leaseId }: Pick<ChainRow, "partition" | "leaseId">,
  guests: readonly Guest[],
): Seen {
  const guest = guestFor(guests, { partition, leaseId });
  if (guest === null) return { observation: null, isHeld: false, off: "no-guest" };
  const isHeld = isHeldBy(guest, service) && IN_FORCE.has(service.state);
  const observation = { ...guest, port: null, state: stateOf(guest) } as const;
  return { observation, isHeld, off: offReasonOf(guest) };
}

const stateOf = ({ isRunning }: Guest) => (isRunning ? "running" : "exited");

/** Reads these chains now, in the caller's transaction. */
export function readMeters(
  context: AgentContext,
  now: CapacityNow,
  chains: readonly ChainRow[],
  guests: readonly Guest[],
  mode: ReadingMode,
): void {
  for (const chain of chains) {
    const service = readService(context.db, chain.serviceId);
    if (service === null) throw new Error(`${chain.serviceId} of ${chain.chainId} is gone`);
    takeReadingOf(context, now, service, chain, seenOf(service, chain, guests), mode);
  }
}

/**
 * Closes what a provider's meters have open, and says that it is to be billed. What is compared over
 * intervals is billed up to the last whole one: cut in two, an interval would cost something else.
 */
export function billNow(
  context: AgentContext,
  now: CapacityNow,
  providerId: PartyId,
  reason: TimeToBill,
  guests: readonly Guest[],
): number {
  const open = listOpenChains(context.db).filter((chain) => chain.providerId === providerId);
  const isRate = (chain: ChainRow) => isComparedByIntervals(context, chain);
  const due = dueMeters(context, now).filter((chain) => chain.providerId === providerId);
  readMeters(context, now, due.filter(isRate), guests, {});
  readMeters(
    context,
    now,
    open.filter((chain) => !isRate(chain)),
    guests,
    { close: true },
  );
  return sayTimeToBill(context, now, providerId, reason);
}

function isComparedByIntervals(context: AgentContext, { serviceId }: ChainRow): boolean {
  const service = readService(context.db, serviceId);
  if (service?.mode !== "shared") return false;
  return codeOf(context, service).code.threshold.kind === "rate";
}

/** Those whose last reading is old enough, or lies before an edge that has passed. */
export function dueMeters(context: AgentContext, now: CapacityNow): readonly ChainRow[] {
  return listOpenChains(context.db).filter((chain) => {
    const last = lastReadingOf(context.db, chain.chainId);
    const service = readService(context.db, chain.serviceId);
    if (last === null || service === null || last.bootId !== now.bootId) return true;
    const { code } = codeOf(context, service);
    const { readingEveryMs } = context.config;
    const rateMs = code.threshold.kind === "rate" ? code.threshold.intervalSeconds * 1000 : null;
    const everyMs = Math.min(readingEveryMs, rateMs ?? readingEveryMs);
    if (now.monotonicNs - last.monotonicNs >= BigInt(everyMs) * 1_000_000n) return true;
    return edgesBetween(code.billingPeriod, Date.parse(last.at), now.atMs).length > 0;
  });
}

/**
 * One meter for each shared partition while capacity is enabled for the pool: begins what is
 * missing and ends what is over, in the caller's transaction. A leased partition's use is in a
 * chain of that lease.
 */
export function keepSharedMeters(
  context: AgentContext,
  now: CapacityNow,
  guests: readonly Guest[],
): void {
  const { db } = context;
  const service = sharedService(context);
  const wanted =
    service === null ? [] : listPartitions(db).filter((one) => one.cpuMode === "shared");
  const places = wanted.map(({ partitionId: id, name }) => {
    const guest = guestOf(guests, { partition: { id, name } });
    const leaseId = guest?.origin === "lease" ? guest.guestId : null;
    return { partition: { id, name }, leaseId };
  });
  const open = listOpenChains(db).filter(isOfShared(context));
  const isWanted = (chain: ChainRow) =>
    chain.serviceId === service?.serviceId &&
    places.some((p) => p.partition.id === chain.partition.id && p.leaseId === chain.leaseId);
  for (const chain of open.filter((one) => !isWanted(one))) {
    readMeters(context, now, [chain], guests, { final: true });
    const reason = service === null ? null : whyOver(context, chain, places);
    if (reason !== null) billNow(context, now, chain.providerId, reason, guests);
  }
  if (service === null) return;
  for (const place of places) {
    const isThere = open.some(
      (one) =>
        isWanted(one) && one.partition.id === place.partition.id && one.leaseId === place.leaseId,
    );
    if (!isThere) beginMeter(context, now, service, place, seenOf(service, place, guests));
  }
}

/** Null: the partition's use goes on in another chain. */
function whyOver(
  { db }: AgentContext,
  { partition, leaseId }: ChainRow,
  places: readonly Pick<ChainRow, "partition">[],
): TimeToBill | null {
  if (leaseId !== null) return "lease-end";
  if (places.some((place) => place.partition.id === partition.id)) return null;
  return readPartition(db, partition.id) === null ? "termination" : "mode-change";
}

/** The oldest shared service in force: the meters of the pool are its. */
export function sharedService({ db }: AgentContext): ServiceRow | null {
  const isInForce = ({ mode, state }: ServiceRow) => mode === "shared" && IN_FORCE.has(state);
  return listServices(db).find(isInForce) ?? null;
}

function isOfShared({ db }: AgentContext) {
  return ({ serviceId }: ChainRow) => readService(db, serviceId)?.mode === "shared";
}
