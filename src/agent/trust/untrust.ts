import { inTransaction } from "../../meter/transaction.ts";
import { type Refusal, refusal } from "../../refusal/refusal.ts";
import { writeAct } from "../capacity/act-store.ts";
import { tellCapacityTime } from "../capacity/clock-store.ts";
import { hostIdOf } from "../capacity/host.ts";
import { serve } from "../capacity/serve.ts";
import {
  changeService,
  listServices,
  readService,
  type ServiceRow,
} from "../capacity/service-store.ts";
import { inCapacityTurn } from "../capacity/turn.ts";
import type { AgentContext } from "../context.ts";
import { readPinned, writeUntrusted } from "./store.ts";

export interface Untrusted {
  readonly providerId: string;
  readonly name: string;
  readonly returned: readonly string[];
  /** In leased partitions until the lease's end, or not given back by their guest. */
  readonly kept: readonly {
    readonly serviceId: string;
    readonly partition: string | null;
    readonly state: ServiceRow["state"];
  }[];
}

/**
 * A pinned provider's codes enable nothing any more: what they enabled is returned and is to be
 * billed (`termination`), but for what a leased partition has. Its keys stay pinned, since its
 * receipts count as before, and so does what is left of its codes, for when it is trusted again.
 * Repeating it changes nothing.
 */
export function untrustProvider(
  context: AgentContext,
  providerId: string,
): Promise<Untrusted | Refusal> {
  const { db } = context;
  return inCapacityTurn(context, async () => {
    const pinned = readPinned(db, providerId);
    if (pinned === null) return refusal("not-found", { what: "pinned provider", id: providerId });
    const own = () => listServices(db).filter((one) => one.providerId === pinned.providerId);
    const before = own();
    inTransaction(db, () => {
      const now = tellCapacityTime(context);
      if (pinned.isTrusted) {
        writeUntrusted(db, pinned.providerId, now.at);
        const detail = { kind: "provider-untrusted", providerId: pinned.providerId } as const;
        writeAct(db, hostIdOf(context), now, detail);
        context.log.warn({ providerId, name: pinned.name }, "a provider is not trusted any more");
      }
      for (const service of before.filter(isReclaimed)) {
        changeService(db, service.serviceId, { returnReason: "provider-untrusted" });
      }
    });
    // The last that came is the first that goes; what fails here the next pass tries again.
    for (const { serviceId } of before.toReversed()) await serve(context, serviceId);
    return {
      ...{ providerId: pinned.providerId, name: pinned.name },
      returned: before.map(({ serviceId }) => serviceId).filter((id) => isOver(context, id)),
      kept: own().map(({ serviceId, partition, state }) => {
        return { serviceId, partition: partition?.name ?? null, state };
      }),
    };
  });
}

/** Never from a leased partition: its client was promised what it has. */
function isReclaimed({ leaseId, returnReason, state }: ServiceRow): boolean {
  return leaseId === null && returnReason === null && state !== "unreturned";
}

function isOver({ db }: AgentContext, serviceId: string): boolean {
  return readService(db, serviceId)?.state === "returned";
}
