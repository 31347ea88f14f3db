/**
 * The states of a lease. Only forward; failure is an outcome, never a way around `ending`.
 *
 *   booked ──── its period begins ────▶ preparing ──── guest answers ────▶ ready
 *     │                                    │                                │
 *     │ cancelled, or its whole            │ ended, expired or failed        │ ended or expired
 *     │ period passed unused               ▼                                ▼
 *     │                                  ending ◀───────────────────────────┘
 *     ▼                                    │ the host's signed wipe receipt
 *   ended ◀────────────────────────────────┘ or, of a host declared dead, the
 *                                              server's signed statement of that
 *
 * From `preparing` until the wipe receipt the partition is frozen.
 */
export const LEASE_STATES = ["booked", "preparing", "ready", "ending", "ended"] as const;
export type LeaseState = (typeof LEASE_STATES)[number];

export const LEASE_OUTCOMES = [
  "completed",
  "ended-early",
  "failed",
  "not-delivered",
  "cancelled",
] as const;
export type LeaseOutcome = (typeof LEASE_OUTCOMES)[number];

/** Why leases end; agents add their own codes for what failed. */
export const END_REASONS = {
  expired: "expired",
  byClient: "ended-by-client",
  /** What the client ran there has ended, and it had said to end the lease then. */
  runDone: "run-done",
  hostSilent: "host-silent-after-expiry",
  hostRemoved: "host-removed",
  /** The host went on under an extension that had lapsed and cannot be had back. */
  extensionLapsed: "extension-lapsed",
} as const;

/** The outcome of a lease that was granted, from why it ended and whether it was ever delivered. */
export function outcomeOf(reason: string, everReady: boolean): LeaseOutcome {
  if (reason === END_REASONS.byClient) return "ended-early";
  if (!everReady) return "not-delivered";
  return COMPLETED.has(reason) ? "completed" : "failed";
}

/** The whole period that was promised has passed, or the work that it was for is done. */
const COMPLETED: ReadonlySet<string> = new Set([
  END_REASONS.expired,
  END_REASONS.runDone,
  END_REASONS.hostSilent,
  END_REASONS.extensionLapsed,
]);
