import type { HostId } from "../../unit/id.ts";
import type { AgentContext } from "../context.ts";
import type { LeaseRow } from "../lease/store.ts";

export function hostIdOf({ host }: AgentContext): HostId {
  return host.hostId;
}

/** A client's, and not the owner's own: nobody changes what it has without its word. */
export function isLeased({ origin }: LeaseRow): boolean {
  return origin === "lease";
}
