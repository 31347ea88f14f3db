import type { Kysely } from "kysely";
import type { DB } from "../database/types.ts";
import {
  type LentCode,
  resourceTimeOver,
  type StandbyPart,
  standbySize,
} from "../host/lent-code.ts";
import { listLentCodes } from "../host/lent-code-store.ts";
import type { Host } from "../host/store.ts";
import { refusal } from "../refusal/refusal.ts";
import { fitsWithin, subtractSizes } from "../unit/size.ts";
import { TURNAROUND_SECONDS } from "./reservation-store.ts";
import { type Holding, peakOfStandby } from "./standby.ts";
import type { Lease } from "./store.ts";

interface Extending {
  readonly lease: Pick<Lease, "leaseId" | "hostId" | "hostName">;
  readonly host: Host;
  /** What of the lease's size is standby's. */
  readonly standby: readonly StandbyPart[];
  /** What others hold of the host. */
  readonly others: readonly Holding[];
  /** What the reservation would gain. */
  readonly during: { readonly start: Date; readonly end: Date };
}

/**
 * Whether the codes that a lease has of serve it that much longer: a lease keeps what it began with.
 * Under the host's lock. Refuses: lent-capacity-short, with the latest end that would do.
 */
export async function checkStandby(tx: Kysely<DB>, extending: Extending): Promise<void> {
  const { lease, during, standby } = extending;
  const codes = await listLentCodes(tx, [lease.hostId]);
  const ends = standby.map((part) => {
    const code = codes.find(({ codeId }) => codeId === part.codeId);
    return code?.isOpen ? Math.min(endByCode(code, part, during), endByOthers(extending, code)) : 0;
  });
  const latest = Math.min(...ends, endByOthers(extending));
  if (latest >= during.end.getTime()) return;
  const until = new Date(Math.max(latest, during.start.getTime()) - TURNAROUND_SECONDS * 1000);
  const { leaseId, hostName: host } = lease;
  throw refusal("lent-capacity-short", { leaseId, host, until: until.toISOString() });
}

/** How long its validity lasts, and the rest of its resource-time: milliseconds. */
function endByCode(
  { validity, resourceTime, reserved }: LentCode,
  { quantity }: StandbyPart,
  { start }: Extending["during"],
): number {
  const second = { start: new Date(0), end: new Date(1000) };
  const seconds = (resourceTime - reserved) / resourceTimeOver(quantity, second);
  // Whole seconds, as extensions are asked for.
  const byTime = start.getTime() + Math.max(0, Math.min(Number(seconds), 1e10)) * 1000;
  return Math.min(validity.end.getTime(), byTime);
}

/** Until when others leave it what it has: of one code, or of all that is installed. */
function endByOthers({ host, standby, others, during }: Extending, code?: LentCode): number {
  const own = standbySize(standby.filter(({ codeId }) => !code || codeId === code.codeId));
  const whole = code
    ? standbySize([{ resource: code.resource, quantity: code.quantity }])
    : host.standby;
  const isFreeUntil = (end: Date) =>
    fitsWithin(own, subtractSizes(whole, peakOfStandby(others, { ...during, end }, code)));
  const begins = others
    .map(({ period }) => period.start)
    .filter((at) => at > during.start && at < during.end);
  const ends = [...begins, during.end].map(Number).toSorted((a, b) => b - a);
  return ends.find((end) => isFreeUntil(new Date(end))) ?? 0;
}
