import { type Refusal, refusal } from "../../refusal/refusal.ts";
import type { AgentContext } from "../context.ts";
import { serve } from "./serve.ts";
import { changeService, listServices, readService, type ServiceRow } from "./service-store.ts";
import { inCapacityTurn } from "./turn.ts";

/** Which services the owner wants to give back: one, those of a partition, or those of the pool. */
export type ReturnWish =
  | { readonly service: string }
  | { readonly partition: string }
  | { readonly shared: true };

/**
 * Takes capacity out of service, after its last reading. What is unused stays in the accounts. A
 * guest that does not give it up keeps it, and goes on being metered; that is refused by name. What a
 * lease has, by a code that is lent or by its client's word, stays until the lease ends.
 */
export function giveBack(
  context: AgentContext,
  wish: ReturnWish,
): Promise<readonly ServiceRow[] | Refusal> {
  return inCapacityTurn(context, async () => {
    const meant = listServices(context.db).filter((service) => isMeant(service, wish));
    const leased = meant.find(({ leaseId }) => leaseId !== null);
    const found = meant.filter(({ leaseId }) => leaseId === null);
    if (leased && found.length === 0) {
      const { serviceId, leaseId } = leased;
      return refusal("capacity-of-lease", { serviceId, leaseId: leaseId ?? "" });
    }
    if (found.length === 0) {
      const what = "service of enabled capacity";
      return refusal("not-found", { what, id: Object.values(wish).join("") });
    }
    const returned: ServiceRow[] = [];
    // The last that came is the first that goes: memory and cpus go out the way they came in.
    for (const { serviceId } of found.toReversed()) {
      // Of what was not given back, every means is tried anew.
      const change = { means: null, failures: 0, retryAtNs: null };
      changeService(context.db, serviceId, { returnReason: "owner", ...change });
      const failure = await serve(context, serviceId);
      const service = readService(context.db, serviceId);
      if (failure !== null || (service !== null && service.state !== "returned")) {
        const why =
          service?.state === "unreturned"
            ? "it lets go of it when it is started anew"
            : "it is busy with another change";
        const message = failure?.message ?? why;
        return refusal("capacity-not-given-back", { message });
      }
      if (service !== null) returned.push(service);
    }
    return returned;
  });
}

function isMeant({ serviceId, partition, mode }: ServiceRow, wish: ReturnWish): boolean {
  if ("service" in wish) return serviceId === wish.service;
  if ("partition" in wish) return partition?.name === wish.partition;
  return mode === "shared";
}
