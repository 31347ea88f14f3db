import { runsOutInNs } from "../../enablement/capacity/account.ts";
import type { PauseReason } from "../../enablement/capacity/act.ts";
import {
  type BillingPeriod,
  edgesBetween,
  periodAt,
} from "../../enablement/capacity/billing-period.ts";
import type { CapacityCode } from "../../enablement/capacity/code.ts";
import { sizeOf } from "../../enablement/capacity/resource.ts";
import type { Threshold } from "../../enablement/capacity/terms.ts";
import { describeCapacity } from "../../meter/describe-capacity.ts";
import { defaultAllowance } from "../../meter/excess.ts";
import type { OpenInterval } from "../../meter/interval.ts";
import type { Reading } from "../../meter/reading.ts";
import { beginChain, lastReadingOf, takeCapacityReading } from "../../meter/spool.ts";
import type { GuestObservation } from "../../partition/driver.ts";
import { canonicalJson } from "../../unit/canonical.ts";
import { newId } from "../../unit/id.ts";
import { readPartition } from "../allocation/store.ts";
import type { AgentContext } from "../context.ts";
import { readLease } from "../lease/store.ts";
import { writeAct } from "./act-store.ts";
import { givenOf } from "./allowance.ts";
import { type ChainRow, insertChain, noteRecord } from "./chain-store.ts";
import type { CapacityNow } from "./clock-store.ts";
import { accountsOf, debitCodes, readCode } from "./code-store.ts";
import { hostIdOf } from "./host.ts";
import { notePause } from "./pause.ts";
import { drawReserved } from "./reservation-store.ts";
import type { ServiceRow } from "./service-store.ts";
import {
  type PeriodKey,
  readPeriodUse,
  thresholdBefore,
  thresholdSetAt,
  writePeriodUse,
} from "./threshold-store.ts";

/** What of a chain's guest is read; null: no guest of it is on this host. */
export interface Seen {
  readonly observation: GuestObservation | null;
  /** Of dedicated capacity: the guest that runs has it. */
  readonly isHeld: boolean;
  /** Why nothing counts where it does not. */
  readonly off: PauseReason;
}

export interface ReadingMode {
  /** What is open becomes a record. */
  readonly close?: boolean;
  readonly final?: boolean;
}

type Place = Pick<ChainRow, "partition" | "leaseId">;

/** Begins a partition's meter with its first reading, in the caller's transaction. */
export function beginMeter(
  context: AgentContext,
  now: CapacityNow,
  service: ServiceRow,
  { partition, leaseId }: Place,
  seen: Seen,
): void {
  const { db } = context;
  const hostId = hostIdOf(context);
  const stored = codeOf(context, service);
  const chainId = newId("chain", now.atMs);
  const { serviceId, providerId, resource, mode } = service;
  const quantity = mode === "shared" ? entitledMilli(context, partition.id) : service.quantity;
  const terms = { chainId, hostId, partitionId: partition.id, cpuMode: mode };
  const begun = beginChain(db, { ...terms, size: sizeOf(resource, quantity) }, stored.jws);
  if (!begun.ok) throw new Error(begun.message);
  insertChain(db, { chainId, serviceId, providerId, partition, leaseId });
  const use = mode === "shared" ? periodUse(context, stored.code, partition.id, now.atMs) : null;
  const threshold = use?.threshold ?? null;
  // What the act states stands, whatever becomes of the partition before its first record.
  if (use !== null) writePeriodUse(db, use.key, use);
  const detail = { chainId, serviceId, partition, codeId: service.codeId, threshold, leaseId };
  writeAct(db, hostId, now, { kind: "chain-begun", ...detail });
  takeReadingOf(context, now, service, { chainId, partition }, seen, {});
}

/** Stores one reading of a chain and the records that it completes, in the caller's transaction. */
export function takeReadingOf(
  context: AgentContext,
  now: CapacityNow,
  service: ServiceRow,
  chain: Pick<ChainRow, "chainId" | "partition">,
  seen: Seen,
  mode: ReadingMode,
): void {
  const { db, config } = context;
  const { code } = codeOf(context, service);
  const last = lastReadingOf(db, chain.chainId);
  const reading = readingOf(withinLease(context, now, service, last), service, seen, last);
  const taken = takeCapacityReading(db, chain.chainId, reading, {
    ...mode,
    recordEveryNs: recordEveryNs(context, now, service, code),
    edgesMs: last === null ? [] : edgesOf(context, service, code.billingPeriod, last, reading),
    lateAfterMs: Math.max(config.readingEveryMs, EDGE_SLACK_MS),
    describe: (open) => describe(context, now, service, code, chain, open),
  });
  if (!taken.ok) throw new Error(`${taken.code}: ${taken.message}`);
  for (const hashed of taken.records) noteRecord(db, hashed);
  if (mode.final !== true) notePause(context, now, service, { last, reading, off: seen.off });
}

/** Of what a lease has, nothing is metered behind its end, however late that is seen. */
function withinLease(
  { db }: AgentContext,
  now: CapacityNow,
  { leaseId }: ServiceRow,
  last: Reading | null,
): CapacityNow {
  const lease = leaseId === null ? null : readLease(db, leaseId);
  const endsAtNs = lease?.endsBootId === now.bootId ? lease.endsAtNs : null;
  if (endsAtNs === null || now.monotonicNs <= endsAtNs) return now;
  const isSameBoot = last?.bootId === now.bootId;
  const readNs = isSameBoot && last.monotonicNs > endsAtNs ? last.monotonicNs : endsAtNs;
  const atNs = now.atNs - (now.monotonicNs - readNs);
  const atMs = Math.max(Number(atNs / 1_000_000n), last === null ? 0 : Date.parse(last.at));
  return { ...now, monotonicNs: readNs, atNs, atMs, at: new Date(atMs).toISOString() };
}

/** The code that a service began with. */
export function codeOf({ db }: AgentContext, { codeId }: Pick<ServiceRow, "codeId">) {
  const stored = readCode(db, codeId);
  if (stored === null) throw new Error(`${codeId} was accepted here and is not on record`);
  return stored;
}

/** What the partition has used by a provider's codes in the period of an instant, and its threshold. */
export function periodUse(
  context: AgentContext,
  code: CapacityCode,
  partitionId: PeriodKey["partitionId"],
  atMs: number,
) {
  const { startMs, endMs } = periodAt(code.billingPeriod, atMs);
  const [start, end] = [new Date(startMs).toISOString(), new Date(endMs).toISOString()];
  const place = { providerId: code.iss, partitionId };
  const key: PeriodKey = { ...place, start, end, rule: code.threshold };
  const found = readPeriodUse(context.db, key);
  const wish =
    thresholdSetAt(context.db, place, startMs, code.threshold)?.threshold ??
    defaultThreshold(code, entitledMilli(context, partitionId), endMs - startMs);
  const threshold = found?.threshold ?? givenOf(context, key, wish);
  const isBegun = found !== null;
  return { key, period: { startMs, endMs }, isBegun, used: 0n, excess: 0n, ...found, threshold };
}

/** The partition's entitlement: over the period, or as a rate. */
function defaultThreshold(code: CapacityCode, cpuMilli: number, periodMs: number): Threshold {
  if (code.threshold.kind === "rate") {
    return { kind: "rate", cpuMilli, intervalSeconds: code.threshold.intervalSeconds };
  }
  return { kind: "allowance", milliCoreNs: defaultAllowance(cpuMilli, periodMs).toString() };
}

/** A partition that is gone had something by right all the same; never zero. */
export function entitledMilli({ db }: AgentContext, partitionId: string): number {
  return Math.max(1, readPartition(db, partitionId)?.size.cpuMilli ?? 1);
}

/** A timer of the system is late by less. */
const EDGE_SLACK_MS = 1_000;

function describe(
  context: AgentContext,
  now: CapacityNow,
  service: ServiceRow,
  code: CapacityCode,
  { partition }: Pick<ChainRow, "partition">,
  open: OpenInterval,
) {
  const { db } = context;
  const { serviceId, resource, quantity, mode } = service;
  const use = periodUse(context, code, partition.id, Date.parse(open.from.at));
  const isShared = mode === "shared";
  if (isShared && !use.isBegun) stateThreshold(context, now, partition, use);
  const described = describeCapacity(open, {
    ...{ serviceId, resource, quantity, period: use.period, usedBefore: use.used },
    threshold: isShared ? use.threshold : null,
    accounts: accountsOf(db, service),
    isUnreturned: service.state === "unreturned",
  });
  debitCodes(db, described.debits);
  drawReserved(db, serviceId, described.debits);
  if (isShared) {
    const excess = use.excess + BigInt(described.capacity.meteredQuantity);
    const { threshold } = use;
    writePeriodUse(db, use.key, { threshold, used: use.used + described.used, excess });
  }
  return described.capacity;
}

/**
 * The acts state every threshold that records are compared with. One that follows from none of the
 * acts before is told like one that the owner set: of a longer month, of another entitlement, or of
 * what the base pool had left to give.
 */
function stateThreshold(
  context: AgentContext,
  now: CapacityNow,
  partition: ChainRow["partition"],
  { key, threshold, period }: ReturnType<typeof periodUse>,
): void {
  const { db } = context;
  const { providerId, rule: asked, start: from } = key;
  const place = { providerId, partitionId: partition.id };
  const set = thresholdSetAt(db, place, period.startMs, asked);
  const before = thresholdBefore(db, key);
  const inForce = set && (before === null || set.fromMs > before.fromMs) ? set : before;
  if (canonicalJson(inForce?.threshold ?? null) === canonicalJson(threshold)) return;
  const detail = { providerId, partition, threshold, from };
  writeAct(db, hostIdOf(context), now, { kind: "threshold-set", ...detail });
}

/** Where records must end: at the edges of periods, and where a code begins or ends to be valid. */
function edgesOf(
  { db }: AgentContext,
  service: ServiceRow,
  rule: BillingPeriod,
  last: Reading,
  next: Reading,
): readonly number[] {
  const [fromMs, toMs] = [Date.parse(last.at), Date.parse(next.at)];
  const validity = accountsOf(db, service).flatMap((account) => [
    account.validFromMs,
    account.validUntilMs,
  ]);
  const between = validity.filter((at) => fromMs < at && at <= toMs);
  return [...new Set([...edgesBetween(rule, fromMs, toMs), ...between])].sort((a, b) => a - b);
}

/**
 * As the agent is told; by a rate, every interval by itself; and no later than the codes last, so
 * that what is used up is seen at the next reading.
 */
function recordEveryNs(
  { db, config }: AgentContext,
  now: CapacityNow,
  service: ServiceRow,
  { threshold }: CapacityCode,
): bigint {
  const { mode, quantity } = service;
  const isRate = mode === "shared" && threshold.kind === "rate";
  const everyMs = isRate ? threshold.intervalSeconds * 1000 : config.recordEveryMs;
  const everyNs = BigInt(everyMs) * 1_000_000n;
  if (mode === "shared") return everyNs;
  const lastsNs = runsOutInNs(accountsOf(db, service), now.atMs, quantity);
  return lastsNs === null || lastsNs === 0n || lastsNs > everyNs ? everyNs : lastsNs;
}

function readingOf(
  now: CapacityNow,
  { mode }: ServiceRow,
  { observation, isHeld }: Seen,
  last: Reading | null,
): Reading {
  const isRunning = observation?.state === "running";
  // The counter of a guest that has ended still belongs to its life.
  const processId = observation?.processId ?? null;
  const isFallen =
    last !== null &&
    last.processId === processId &&
    last.bootId === now.bootId &&
    (observation?.cpuNs ?? 0n) < last.cpuNs;
  return {
    at: now.at,
    bootId: now.bootId,
    monotonicNs: now.monotonicNs,
    processId,
    cpuNs: isFallen ? last.cpuNs : (observation?.cpuNs ?? 0n),
    answered: isRunning && (mode === "shared" || isHeld),
  };
}
