export type HostState = "expected" | "seen" | "late";

/** Agents say that they are alive every 5 s; six missed ones are more than a slow network. */
export const LATE_AFTER_MS = 30_000;

/**
 * A host is late when it was not heard for `LATE_AFTER_MS`. Silence before the server itself began
 * to listen does not count: it was the server that was away.
 */
export function hostState(host: {
  enrolled: boolean;
  seenAt: Date | null;
  serverUpSince: Date;
  now: Date;
}): HostState {
  if (!host.enrolled) return "expected";
  const heardMs = Math.max(host.seenAt?.getTime() ?? 0, host.serverUpSince.getTime());
  return host.now.getTime() - heardMs > LATE_AFTER_MS ? "late" : "seen";
}
