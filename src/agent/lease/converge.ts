import { inTransaction } from "../../meter/transaction.ts";
import { isEnding, type StepAction, type StepLimits, step } from "../../partition/step.ts";
import { BACKOFF, backoffMs } from "../../process/backoff.ts";
import { applyPartitions, keepPoolOnce } from "../allocation/apply.ts";
import type { AgentContext } from "../context.ts";
import { keepRoom } from "../state/room.ts";
import { keepDeadline } from "./deadline.ts";
import { type EffectFailure, nameFailure } from "./effect-failure.ts";
import * as ending from "./ending.ts";
import { takeExtensions } from "./extending.ts";
import { factsOf } from "./facts.ts";
import { collect } from "./outputs.ts";
import * as power from "./power.ts";
import { watchRun } from "./run.ts";
import * as running from "./running.ts";
import * as starting from "./starting.ts";
import { changeLease, forgetTombstones, type LeaseRow, listLeases, readLease } from "./store.ts";

/** More steps than any lease has; a decision that never waits must not hold the pass for ever. */
const STEPS_MAX = 50;
/** Tries of an effect before the lease fails: with back-off, some seconds. */
const TRIES_MAX = 4;
/** A tombstone outlives its lease's period by this; then the grant itself is of no use. */
const TOMBSTONE_MS = 30 * 24 * 3_600_000;

/**
 * Moves each lease as far as it can go now; repeating it does nothing more. A lease that an earlier
 * pass is still at (a long download) is left to that pass.
 */
export async function convergeOnce(context: AgentContext): Promise<void> {
  keepRoom(context.db);
  applyPartitions(context);
  const passes = listLeases(context.db).map(({ leaseId }) =>
    context.turns.tryTake(leaseId, () => convergeLease(context, leaseId)),
  );
  await Promise.all(passes);
  await keepPoolOnce(context);
  forgetTombstones(context.db, new Date(context.time.nowMs() - TOMBSTONE_MS).toISOString());
}

async function convergeLease(context: AgentContext, leaseId: string): Promise<void> {
  const limits: StepLimits = { bootTimeoutNs: BigInt(context.config.bootTimeoutMs) * 1_000_000n };
  for (let i = 0; i < STEPS_MAX; i++) {
    const found = readLease(context.db, leaseId);
    if (found === null) return;
    keepDeadline(context, found);
    takeExtensions(context, found);
    const known = readLease(context.db, leaseId) ?? found;
    try {
      await watchRun(context, known);
      const lease = readLease(context.db, leaseId) ?? known;
      const action = step(await factsOf(context, lease), limits);
      if (action.do === "wait") return;
      context.log.debug({ leaseId, stage: lease.stage, action: action.do }, "step");
      await perform(context, lease, action);
    } catch (error) {
      recordFailure(context, known, nameFailure(error));
    }
  }
  context.log.error({ leaseId }, "a lease did not come to rest in one pass");
}

async function perform(
  context: AgentContext,
  lease: LeaseRow,
  action: Exclude<StepAction, { do: "wait" }>,
): Promise<void> {
  switch (action.do) {
    case "judge":
      return starting.judge(context, lease);
    case "fetch":
      return starting.fetchImage(context, lease);
    case "allocate":
      return starting.allocate(context, lease);
    case "prepare":
      return starting.prepare(context, lease);
    case "boot":
      return starting.boot(context, lease);
    case "count-failed-boot":
      return countFailedBoot(context, lease, action.reason);
    case "deliver":
      return running.deliver(context, lease);
    case "report-undelivered":
      return running.reportUndelivered(context, lease, action.reason);
    case "report-delivered":
      return running.reportDelivered(context, lease);
    case "boot-again":
      return running.bootAgain(context, lease);
    case "power-off":
      return power.powerOff(context, lease);
    case "power-on":
      return power.powerOn(context, lease);
    case "confirm-power":
      return power.confirmPower(context, lease);
    case "fail":
      return ending.fail(context, lease, action);
    case "begin-end":
      return ending.beginEnd(context, lease, action.reason);
    case "stop":
      return ending.stop(context, lease);
    case "close":
      return ending.close(context, lease);
    case "collect":
      return collect(context, lease);
    case "wipe":
      return ending.wipe(context, lease);
    case "forget":
      return ending.forget(context, lease);
  }
}

/** Before a lease is ready a failure may end it; afterwards the client's work is worth every try. */
function recordFailure(context: AgentContext, lease: LeaseRow, failure: EffectFailure): void {
  const { leaseId, stage } = lease;
  const failures = lease.failures + 1;
  context.log.warn({ leaseId, stage, failures, err: failure }, "an effect failed");
  const isTooLate = stage === "ready" || isEnding(stage);
  const isHopeless =
    failure.retry === "never" || (failure.retry === "bounded" && failures >= TRIES_MAX);
  if (isHopeless && !isTooLate) {
    ending.fail(context, lease, { reason: failure.code, message: failure.message });
  } else {
    const isFirst = stage === "ready" && !lease.isDelivered && lease.failures === 0;
    inTransaction(context.db, () => {
      changeLease(context.db, leaseId, { failures, retryAtNs: nextTry(context, failures) });
      // Why the guest is not there again, which is another reason than why it went.
      if (isFirst) running.tellUndelivered(context, lease, failure.code);
    });
  }
}

/** The process ended before its way in ever answered. The count goes on over the next boot. */
function countFailedBoot(context: AgentContext, lease: LeaseRow, reason: string): void {
  const failures = lease.failures + 1;
  if (failures >= TRIES_MAX) {
    const message = `the guest ended ${failures} times before it answered (${reason})`;
    ending.fail(context, lease, { reason: "boot-failed", message });
    return;
  }
  context.log.warn({ leaseId: lease.leaseId, failures, reason }, "the guest ended while booting");
  changeLease(context.db, lease.leaseId, {
    stage: "prepared",
    failures,
    retryAtNs: nextTry(context, failures),
  });
}

function nextTry(context: AgentContext, failures: number): bigint {
  const waitMs = Math.ceil(backoffMs(BACKOFF.effect, failures)) + 1;
  return context.clock.monotonicNs() + BigInt(waitMs) * 1_000_000n;
}
