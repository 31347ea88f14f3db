import {
  type CapacityRequest,
  capacityRequestSchema,
  type HostCard,
} from "../../enablement/capacity/card.ts";
import {
  type CapacityResource,
  isWholeQuantity,
  quantityIn,
} from "../../enablement/capacity/resource.ts";
import { type Refusal, refusal } from "../../refusal/refusal.ts";
import { sign } from "../../signature/envelope.ts";
import { newId } from "../../unit/id.ts";
import { SIZE_ZERO } from "../../unit/size.ts";
import { type AgentContext, instantNow } from "../context.ts";

/** What this host writes for a provider: each is one signed text, for a wire or for a file. */

export function hostCard(context: AgentContext): { card: HostCard; cardJws: string } {
  const { host, keys, capacity } = context;
  const key = keys.current();
  const card: HostCard = {
    hostId: host.hostId,
    name: host.hostName,
    agentJwk: { ...key.publicJwk },
    reserve: capacity.reserve,
    base: capacity.base,
    standby: capacity.standby ?? SIZE_ZERO,
    issuedAt: instantNow(context),
  };
  return { card, cardJws: sign("sublet-host-card", card, key) };
}

export interface Wish {
  readonly resource: CapacityResource;
  /** milliCores or bytes. */
  readonly quantity: number;
  readonly forSeconds: number;
}

/** Refuses what a code could never enable here: parts of a core, and more than is in standby. */
export function capacityRequest(
  context: AgentContext,
  wish: Wish,
): { request: CapacityRequest; requestJws: string } | Refusal {
  const { host, keys, capacity } = context;
  const { resource, quantity } = wish;
  if (!isWholeQuantity(resource, quantity)) return refusal("capacity-not-whole", { resource });
  const standby = quantityIn(capacity.standby ?? SIZE_ZERO, resource);
  if (quantity > standby) {
    return refusal("standby-short", { host: host.hostName, resource, quantity, standby });
  }
  const request = capacityRequestSchema.parse({
    requestId: newId("request", context.clock.now().getTime()),
    hostId: host.hostId,
    hostName: host.hostName,
    ...wish,
    issuedAt: instantNow(context),
  });
  return { request, requestJws: sign("sublet-capacity-request", request, keys.current()) };
}
