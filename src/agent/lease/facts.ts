import { unsentCount } from "../../meter/spool-batch.ts";
import type { GuestObservation } from "../../partition/driver.ts";
import type { LeaseFacts, LeaseStage } from "../../partition/step.ts";
import { BACKOFF } from "../../process/backoff.ts";
import type { AgentContext } from "../context.ts";
import { countReports } from "../report/store.ts";
import { type LeaseRow, listLeases } from "./store.ts";

/** How long an SSH server may take to greet; it is on this computer. */
const ANSWER_TIMEOUT_MS = 2_000;

/** Looks at the world and the record, and no further than the lease's stage needs. */
export async function factsOf(context: AgentContext, lease: LeaseRow): Promise<LeaseFacts> {
  // Of a lease that is to end nothing more is asked: no trouble in asking keeps it from its end.
  const needsGuest = !isDue(context, lease) && GUEST_STAGES.has(lease.stage);
  const guest = needsGuest ? await context.driver.observe(lease.leaseId) : null;
  return {
    stage: lease.stage,
    endReason: lease.endReason,
    nowNs: context.clock.monotonicNs(),
    endsAtNs: lease.endsAtNs,
    isPartitionTaken: isPartitionTaken(context, lease),
    guest,
    answers: await doesAnswer(context, lease, guest),
    isDelivered: lease.isDelivered,
    power: {
      state: lease.powerState,
      isDone: lease.powerDoneGeneration >= lease.powerGeneration,
      isCut: lease.isPowerCut,
    },
    silentReadings: lease.silentReadings,
    retryAtNs: retryAt(context, lease),
    bootedAtNs: lease.bootedAtNs,
    hasOutputs: lease.granted?.outbox !== undefined && !lease.isCollected,
    isSettled:
      countReports(context.db, lease.leaseId) === 0 && unsentCount(context.db, lease.leaseId) === 0,
  };
}

const GUEST_STAGES: ReadonlySet<LeaseStage> = new Set(["booted", "ready"]);

function isDue({ clock }: AgentContext, { endReason, endsAtNs }: LeaseRow): boolean {
  return endReason !== null || (endsAtNs !== null && clock.monotonicNs() >= endsAtNs);
}

/** A delivered guest is asked by the readings; asking it each second would only burden it. */
async function doesAnswer(
  context: AgentContext,
  lease: LeaseRow,
  guest: GuestObservation | null,
): Promise<boolean | null> {
  if (guest?.state !== "running" || (lease.stage === "ready" && lease.isDelivered)) return null;
  return context.driver.answers(lease.leaseId, ANSWER_TIMEOUT_MS);
}

/** Another lease has cores in this partition, and keeps them until it is wiped. */
function isPartitionTaken(context: AgentContext, lease: LeaseRow): boolean {
  return listLeases(context.db).some(
    (other) =>
      other.leaseId !== lease.leaseId &&
      other.partitionId === lease.partitionId &&
      other.cores.length > 0,
  );
}

/** An instant further away than any back-off is one of an earlier boot's clock. */
function retryAt(context: AgentContext, lease: LeaseRow): bigint | null {
  if (lease.retryAtNs === null) return null;
  const mostNs = BigInt(BACKOFF.effect.mostMs) * 1_000_000n;
  return lease.retryAtNs - context.clock.monotonicNs() > mostNs ? null : lease.retryAtNs;
}
