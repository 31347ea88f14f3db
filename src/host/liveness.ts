/** `expected`: no agent has joined yet. `removed`: it was taken off the market for good. */
export const HOST_STATES = ["expected", "seen", "late", "lost", "removed"] as const;
export type HostState = (typeof HOST_STATES)[number];
/** What is told by events; the other states are told by the deeds that lead to them. */
export type Presence = Extract<HostState, "seen" | "late" | "lost">;

/** Agents say that they are alive every 5 s; six missed ones are more than a slow network. */
export const LATE_AFTER_MS = 30_000;
/** Longer than a restart of a computer or of a router takes. Nothing ends because of it. */
export const LOST_AFTER_MS = 600_000;

export interface HostSigns {
  readonly enrolledAt: Date | null;
  readonly removedAt: Date | null;
  readonly seenAt: Date | null;
  /** What was last told by events, and since when: of one not heard, when it was last heard. */
  readonly presence: Presence;
  readonly presenceSince: Date | null;
}

/**
 * Whether a host is there. Silence before the server itself began to listen does not count: it was
 * the server that was away. What was noted before stands until the host is really heard again, so
 * that a server's restart, or a second server that has just started, makes no lost host a seen one.
 */
export function hostState(host: HostSigns, server: { upSince: Date; now: Date }): HostState {
  if (host.removedAt) return "removed";
  if (!host.enrolledAt) return "expected";
  const heardMs = Math.max(host.seenAt?.getTime() ?? 0, server.upSince.getTime());
  const reckoned = presenceAfter(server.now.getTime() - heardMs);
  return isHeardSince(host) ? reckoned : worseOf(reckoned, host.presence);
}

function presenceAfter(silenceMs: number): Presence {
  if (silenceMs > LOST_AFTER_MS) return "lost";
  return silenceMs > LATE_AFTER_MS ? "late" : "seen";
}

function isHeardSince({ seenAt, presenceSince }: HostSigns): boolean {
  return presenceSince === null || (seenAt !== null && seenAt > presenceSince);
}

function worseOf(a: Presence, b: Presence): Presence {
  const order: readonly Presence[] = ["seen", "late", "lost"];
  return order.indexOf(a) > order.indexOf(b) ? a : b;
}
