import type { Kysely } from "kysely";
import type { z } from "zod";
import type { DB } from "../../database/types.ts";
import { STANDBY_RESOURCES } from "../../host/lent-code.ts";
import { listLentCodes } from "../../host/lent-code-store.ts";
import { readReservations } from "../../lease/reservation-store.ts";
import { peakOfStandby } from "../../lease/standby.ts";
import type { HostId } from "../../unit/id.ts";
import type { lentCodeView } from "../contract/view.ts";

/** What a host lends of its codes, and what leases have of that now. */
export async function viewLentCodes(
  db: Kysely<DB>,
  hostId: HostId,
  now: Date,
): Promise<z.infer<typeof lentCodeView>[]> {
  const codes = await listLentCodes(db, [hostId]);
  if (codes.length === 0) return [];
  const during = { start: now, end: new Date(now.getTime() + 1) };
  const held = await readReservations(db, { hostIds: [hostId], during });
  return codes.map((code) => {
    const { codeId, providerId, resource, quantity, resourceTime, reserved, isOpen } = code;
    const left = resourceTime - reserved;
    return {
      ...{ codeId, providerId, resource, quantity, isOpen },
      inUse: peakOfStandby(held, during, code)[STANDBY_RESOURCES[resource]],
      validity: {
        start: code.validity.start.toISOString(),
        end: code.validity.end.toISOString(),
      },
      resourceTime: resourceTime.toString(),
      unreserved: (left > 0n ? left : 0n).toString(),
      reservedUntil: code.heldUntil?.toISOString() ?? null,
    };
  });
}
