import type { AgentContext } from "../context.ts";
import { changeLease, type LeaseChange, type LeaseRow } from "./store.ts";

/**
 * A computer may wake with a wall clock that is years ahead. The server is given this long to say
 * better before anything is ended, and so destroyed, on the wall clock's word alone.
 */
const WALL_PATIENCE_MS = 60_000;

/**
 * Fixes the end of a lease on the monotonic clock (invariant 6). Later anchors and steps of the
 * wall clock do not move it.
 */
export function deadlineAt(context: AgentContext, endsAt: string): LeaseChange {
  const isAnchored = context.time.isAnchored();
  const remainingMs = Date.parse(endsAt) - context.time.nowMs();
  const restMs = isAnchored ? remainingMs : Math.max(remainingMs, WALL_PATIENCE_MS);
  return {
    endsAt,
    endsAtNs: context.clock.monotonicNs() + BigInt(restMs) * 1_000_000n,
    endsBootId: context.clock.bootId(),
    endsBy: isAnchored ? "anchor" : "wall",
  };
}

/** How long a lease still lasts, in nanoseconds; nothing when its end is past. */
export function restOf(context: AgentContext, { endsAt, endsAtNs, endsBootId }: LeaseRow): bigint {
  if (endsAt === null || endsAtNs === null) return 0n;
  const isThisBoot = endsBootId === context.clock.bootId();
  const restNs = isThisBoot
    ? endsAtNs - context.clock.monotonicNs()
    : BigInt(Date.parse(endsAt) - context.time.nowMs()) * 1_000_000n;
  return restNs > 0n ? restNs : 0n;
}

/**
 * After a restart of the computer its monotonic clock began anew: the end is reckoned once more,
 * from the wall clock until the server has told the time, and then once from that.
 */
export function keepDeadline(context: AgentContext, lease: LeaseRow): void {
  if (lease.endsAt === null) return;
  const isOtherBoot = lease.endsBootId !== context.clock.bootId();
  const isBetterKnown = lease.endsBy === "wall" && context.time.isAnchored();
  if (isOtherBoot || isBetterKnown) {
    changeLease(context.db, lease.leaseId, deadlineAt(context, lease.endsAt));
  }
}
