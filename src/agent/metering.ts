import { setTimeout as sleep } from "node:timers/promises";
import type { Reading } from "../meter/reading.ts";
import { type Taken, takeReading } from "../meter/spool.ts";
import { inTransaction } from "../meter/transaction.ts";
import { BackwardReadingError } from "../meter/usage.ts";
import type { GuestObservation } from "../partition/driver.ts";
import { nextMonthEdge } from "../unit/month.ts";
import { type AgentContext, instantNow } from "./context.ts";
import { changeLease, type LeaseRow, listLeases, readLease } from "./lease/store.ts";

/**
 * How long the way in of a delivered guest may take to greet. Longer than while it boots, where a
 * probe may hang on a network that is not up yet: a busy guest is slow and not silent.
 */
const READING_ANSWER_TIMEOUT_MS = 5_000;

/** Three missed readings: then nobody has witnessed the time between. */
const GAP_READINGS = 3;

/** A pass that only looks at a guest is done with it in a moment; one that boots it is not. */
const TURN_TRIES = 20;
const TURN_AGAIN_MS = 50;

/**
 * Takes one reading of each delivered guest. A guest that a pass is working on is waited for, but
 * not for long: the others' readings are not to be late for it.
 */
export async function meterOnce(context: AgentContext): Promise<void> {
  const ready = listLeases(context.db).filter(({ stage }) => stage === "ready");
  await Promise.all(ready.map(({ leaseId }) => meterInTurn(context, leaseId)));
}

/** A reading that is left out is time that nobody witnesses, and so is not paid for. */
async function meterInTurn(context: AgentContext, leaseId: string): Promise<void> {
  for (let tries = 0; tries < TURN_TRIES; tries++) {
    if (await context.turns.tryTake(leaseId, () => meterLease(context, leaseId))) return;
    await sleep(TURN_AGAIN_MS);
  }
}

async function meterLease(context: AgentContext, leaseId: string): Promise<void> {
  const lease = readLease(context.db, leaseId);
  if (lease?.stage !== "ready" || isOver(context, lease)) return;
  const observation = await context.driver.observe(leaseId);
  const answered = await doesGuestAnswer(context, lease, observation);
  inTransaction(context.db, () => {
    storeReading(context, lease, observation, answered);
    const silentReadings = answered ? 0 : lease.silentReadings + 1;
    changeLease(context.db, lease.leaseId, { silentReadings });
  });
}

/**
 * Does the promised way in work? A client that powers its own guest off keeps what it reserved and
 * goes on paying for it (DESIGN, "Delivered"), so that counts as if it answered.
 */
export async function doesGuestAnswer(
  context: AgentContext,
  lease: LeaseRow,
  observation: GuestObservation,
): Promise<boolean> {
  if (observation.state === "running") {
    const answers = await context.driver.answers(lease.leaseId, READING_ANSWER_TIMEOUT_MS);
    return answers || isComputing(context, lease, observation);
  }
  // Not so when it never answered in this life: then it is the guest that does not work.
  return (isPoweredOff(observation) || isKeptOff(lease)) && lease.silentReadings === 0;
}

/** Of a core, since the last reading: far above what an idle or hung guest uses. */
const COMPUTING_SHARE = 0.1;

/**
 * A guest that answered in this life and computes is in use, whatever became of its SSH server:
 * that is the client's own, and to stop it must not make computing free.
 */
function isComputing(
  context: AgentContext,
  lease: LeaseRow,
  observation: GuestObservation,
): boolean {
  const leastNs = BigInt(Math.round(context.config.readingEveryMs * 1e6 * COMPUTING_SHARE));
  return (
    lease.silentReadings === 0 &&
    observation.processId !== null &&
    observation.processId === lease.processId &&
    observation.cpuNs - lease.cpuNs >= leastNs
  );
}

/** Stores a reading of now, or of the lease's end when that is past: nobody pays for longer. */
export function storeReading(
  context: AgentContext,
  lease: LeaseRow,
  observation: GuestObservation,
  answered: boolean,
): void {
  const reading = readingOf(context, lease, observation, answered);
  // Of an own guest the counter alone is kept: it has no chain, and nobody pays for it.
  if (lease.origin === "lease") refuseNothing(take(context, lease, reading, false));
  changeLease(context.db, lease.leaseId, { processId: reading.processId, cpuNs: reading.cpuNs });
}

/** The chain's last. Whatever the clocks did, it must close: a bill and the wipe wait for it. */
export function storeFinalReading(
  context: AgentContext,
  lease: LeaseRow,
  observation: GuestObservation,
  answered: boolean,
): void {
  const reading = readingOf(context, lease, observation, answered);
  try {
    refuseNothing(take(context, lease, reading, true));
  } catch (error) {
    if (!(error instanceof BackwardReadingError)) throw error;
    const { leaseId } = lease;
    context.log.warn({ leaseId, code: error.code }, "the end lies before the last reading");
    const now = { ...reading, monotonicNs: context.clock.monotonicNs(), processId: null };
    refuseNothing(take(context, lease, now, true));
  }
}

function readingOf(
  context: AgentContext,
  lease: LeaseRow,
  observation: GuestObservation,
  answered: boolean,
): Reading {
  // A powered-off guest whose process is gone is still the same life of it, at rest.
  const processId = observation.processId ?? (isPoweredOff(observation) ? lease.processId : null);
  const isSameProcess = processId !== null && processId === lease.processId;
  const isFallen = isSameProcess && observation.cpuNs < lease.cpuNs;
  const isPast = isOver(context, lease);
  return {
    at: isPast && lease.endsAt !== null ? toUtc(lease.endsAt) : instantNow(context),
    bootId: context.clock.bootId(),
    monotonicNs: isPast && lease.endsAtNs !== null ? lease.endsAtNs : context.clock.monotonicNs(),
    processId,
    // A thread's counter dies with it; what was read before is the least that it was.
    cpuNs: isFallen ? lease.cpuNs : observation.cpuNs,
    answered,
  };
}

function take(context: AgentContext, lease: LeaseRow, reading: Reading, final: boolean): Taken {
  const { readingEveryMs, recordEveryMs } = context.config;
  return takeReading(context.db, lease.leaseId, reading, {
    gapAfterNs: BigInt(GAP_READINGS * readingEveryMs) * 1_000_000n,
    recordEveryNs: BigInt(recordEveryMs) * 1_000_000n,
    billingTimeZone: billingTimeZoneOf(lease),
    final,
  });
}

/**
 * When to read next: as told, and at the very edge of a month of a lease, where a bill is cut. A
 * millisecond behind it, so that the reading cannot lie before.
 */
export function nextReadingMs(context: AgentContext): number {
  const nowMs = context.time.nowMs();
  const zones = listLeases(context.db)
    .filter(({ stage }) => stage === "ready")
    .flatMap((lease) => billingTimeZoneOf(lease) ?? []);
  const waitsMs = [...new Set(zones)].map(
    (zone) => nextMonthEdge(new Date(nowMs), zone).getTime() - nowMs + 1,
  );
  return Math.min(context.config.readingEveryMs, ...waitsMs);
}

/** Of a lease; the owner's own guests are billed to nobody. */
function billingTimeZoneOf({ granted }: LeaseRow): string | undefined {
  return granted !== null && "billingTimeZone" in granted ? granted.billingTimeZone : undefined;
}

function refuseNothing(taken: Taken): void {
  if (!taken.ok) throw new Error(`${taken.code}: ${taken.message}`);
}

function isOver(context: AgentContext, lease: LeaseRow): boolean {
  const isThisBoot = lease.endsBootId === context.clock.bootId();
  return isThisBoot && lease.endsAtNs !== null && context.clock.monotonicNs() > lease.endsAtNs;
}

function isPoweredOff({ state, exitReason }: GuestObservation): boolean {
  return state === "exited" && exitReason === "guest-powered-off";
}

/** By its client's wish. */
function isKeptOff({ powerState, powerGeneration, powerDoneGeneration }: LeaseRow): boolean {
  return powerState === "off" && powerDoneGeneration === powerGeneration;
}

function toUtc(instant: string): string {
  return new Date(instant).toISOString();
}
