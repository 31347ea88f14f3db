import type { HostId } from "../../unit/id.ts";
import type { AgentContext } from "../context.ts";
import type { LeaseRow } from "../lease/store.ts";

export function hostIdOf({ joined }: AgentContext): HostId {
  return joined.hostId;
}

/** A client's, and not the owner's own: nobody changes what it has without its word. */
export function isLeased(lease: LeaseRow): boolean {
  return !("origin" in lease) || lease.origin === "lease";
}
