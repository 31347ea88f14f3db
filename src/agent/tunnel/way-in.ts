import type { AgentContext } from "../context.ts";
import { type LeaseRow, readLease } from "../lease/store.ts";

/** Where a lease's guest listens, by this host's own record alone. */
export function wayInOf(
  { db, config }: Pick<AgentContext, "db" | "config">,
  leaseId: string,
): { readonly host: string; readonly port: number } {
  const port = readLease(db, leaseId)?.port ?? null;
  if (port === null) throw new Error(`${leaseId} has no way in`);
  return { host: config.accessAddress, port };
}

/** Why nobody gets into this lease's guest now; null when its client may. */
export function whyNoWayIn(
  { db, clock }: Pick<AgentContext, "db" | "clock">,
  leaseId: string,
): string | null {
  const lease = readLease(db, leaseId);
  if (lease === null) return "lease-unknown";
  if (isOver(lease, clock.monotonicNs())) return "lease-over";
  return lease.stage === "ready" && lease.port !== null ? null : "lease-not-ready";
}

const OVER: readonly string[] = ["stopping", "stopped", "closed", "wiped", "done"];

/** Also when the pass that ends it is still to come. */
function isOver({ stage, endReason, endsAtNs }: LeaseRow, nowNs: bigint): boolean {
  return OVER.includes(stage) || endReason !== null || (endsAtNs !== null && nowNs >= endsAtNs);
}
