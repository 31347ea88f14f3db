import type { AgentContext } from "../context.ts";
import { changeLease, type LeaseChange, type LeaseRow } from "./store.ts";

/**
 * Fixes the end of a lease on the monotonic clock (invariant 6). Later anchors and steps of the
 * wall clock do not move it.
 */
export function deadlineAt(context: AgentContext, endsAt: string): LeaseChange {
  const remainingMs = Date.parse(endsAt) - context.time.nowMs();
  return {
    endsAt,
    endsAtNs: context.clock.monotonicNs() + BigInt(remainingMs) * 1_000_000n,
    endsBootId: context.clock.bootId(),
    endsBy: context.time.isAnchored() ? "anchor" : "wall",
  };
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
