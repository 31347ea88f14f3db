import type { Host } from "../host/store.ts";
import type { Reason } from "./mismatch.ts";

/** Why a host as a whole takes no lease during a period; an end of null is for ever. */
export function hostReasons(
  { drainedAt, maintenance }: Pick<Host, "drainedAt" | "maintenance">,
  during: { readonly start: Date; readonly end: Date | null },
): Reason[] {
  const reasons: Reason[] = [];
  if (drainedAt) {
    reasons.push({ code: "host-drained", message: "its host takes no new leases at present" });
  }
  const isInTheWay =
    maintenance !== null &&
    (during.end === null || maintenance.start < during.end) &&
    (maintenance.end === null || maintenance.end > during.start);
  if (isInTheWay) {
    const { start, end } = maintenance;
    const until = end === null ? "until further notice" : `until ${end.toISOString()}`;
    const message = `its host is in maintenance from ${start.toISOString()} ${until}`;
    reasons.push({ code: "host-maintenance", message });
  }
  return reasons;
}
