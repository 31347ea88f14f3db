import { sizeOf } from "../../enablement/capacity/resource.ts";
import { addSizes, SIZE_ZERO, type Size } from "../../unit/size.ts";
import type { AgentContext } from "../context.ts";
import type { Guest } from "../guests.ts";
import { listServices, type ServiceRow } from "./service-store.ts";

/** Who is in a partition; null: nobody. */
export function guestOf(guests: readonly Guest[], { partition }: Pick<ServiceRow, "partition">) {
  return guests.find((guest) => guest.partition.id === partition?.id) ?? null;
}

/**
 * The guest that a dedicated service is for: the owner's own, or that of its lease. Who else is in the
 * partition has nothing of it.
 */
export function guestFor(
  guests: readonly Guest[],
  { partition, leaseId }: Pick<ServiceRow, "partition" | "leaseId">,
): Guest | null {
  const guest = guestOf(guests, { partition });
  if (guest === null) return null;
  return (guest.origin === "own" ? null : guest.guestId) === leaseId ? guest : null;
}

/** Of dedicated capacity: the life of the guest that runs has it. */
export function isHeldBy(guest: Guest | null, { processId, isLent }: ServiceRow): boolean {
  if (guest?.isRunning !== true) return false;
  return isLent || (processId !== null && processId === guest.processId);
}

/** What a guest has, or is to have, with these services beside what it was granted. */
export function sizeWith(
  guest: Guest,
  services: readonly ServiceRow[],
): { readonly size: Size; readonly cores: readonly number[] } {
  const more = services.reduce(
    (sum, { resource, quantity }) => addSizes(sum, sizeOf(resource, quantity)),
    SIZE_ZERO,
  );
  return {
    size: addSizes(guest.size, more),
    cores: [...guest.cores, ...services.flatMap(({ cores }) => cores)],
  };
}

/** The dedicated services that a guest's present life has. */
export function heldServices({ db }: AgentContext, guest: Guest): readonly ServiceRow[] {
  return listServices(db).filter(
    (service) => guestFor([guest], service) !== null && isHeldBy(guest, service),
  );
}
