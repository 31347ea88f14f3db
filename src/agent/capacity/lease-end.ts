import { inTransaction } from "../../meter/transaction.ts";
import type { LeaseId } from "../../unit/id.ts";
import type { AgentContext } from "../context.ts";
import { listGuests } from "../guests.ts";
import { tellCapacityTime } from "./clock-store.ts";
import { endService, retireService } from "./serve.ts";
import { listServices, type ServiceRow } from "./service-store.ts";

/**
 * Enabled capacity at the end of the lease that has it. Both are done in the lease's own turn, look
 * at its guest first and record at once; so no other work on the host's capacity keeps a lease from
 * its end. Repeating them does nothing more.
 */

/** The last reading of all that the lease has, while its guest still runs. */
export async function retireLease(context: AgentContext, leaseId: LeaseId): Promise<void> {
  if (servicesOf(context, leaseId).length === 0) return;
  const guests = await listGuests(context);
  inTransaction(context.db, () => {
    const now = tellCapacityTime(context);
    for (const service of servicesOf(context, leaseId)) {
      retireService(context, now, service, guests);
    }
  });
}

/** No process of the lease is left: what it had is out of service, and to be billed. */
export async function returnLease(context: AgentContext, leaseId: LeaseId): Promise<void> {
  if (servicesOf(context, leaseId).length === 0) return;
  const guests = await listGuests(context);
  inTransaction(context.db, () => {
    const now = tellCapacityTime(context);
    for (const service of servicesOf(context, leaseId)) endService(context, now, service, guests);
  });
}

function servicesOf({ db }: AgentContext, leaseId: LeaseId): readonly ServiceRow[] {
  return listServices(db).filter((service) => service.leaseId === leaseId);
}
