import { createHash } from "node:crypto";

/** Begins the name of everything that is made on a host for guests' internet, and of nothing else. */
export const LINK_PREFIX = "sublet";
/** In the guest's namespace: its card's other end, and the way out. */
export const GUEST_LINK = "guest";
export const UP_LINK = "outside";

/**
 * The one name of a guest's namespace, of the host's link to it and of the host's table of rules:
 * found again from the guest alone, and not another agent's. The kernel's longest is 15 characters.
 */
export function networkName(guestId: string, driverTag: string): string {
  const digest = createHash("sha256").update(`${guestId}@${driverTag}`).digest("hex");
  return `${LINK_PREFIX}${digest.slice(0, 15 - LINK_PREFIX.length)}`;
}

export function namespacePath(name: string): string {
  return `/run/netns/${name}`;
}
