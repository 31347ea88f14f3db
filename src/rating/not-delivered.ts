import type { Cause, DeliveryEvent } from "../meter/cause.ts";
import type { HashedRecord, UsageRecord } from "../meter/record.ts";

/** What begins time that is not delivered, and what ends it. */
const BEGINS: readonly string[] = ["waiting", "undelivered", "host-lost", "failed"];
const ENDS: readonly string[] = ["delivered-again", "host-back", "ready"];
export const DELIVERY_EVENTS: readonly string[] = [...BEGINS, ...ENDS];

export interface NotDelivered {
  readonly cause: Cause;
  readonly ns: bigint;
}

/** A record's time that is not charged. */
export function notDeliveredOf(record: UsageRecord, chargedNs: bigint): readonly NotDelivered[] {
  const deliveredNs = BigInt(record.deliveredNs);
  const parts: readonly NotDelivered[] = [
    {
      cause: record.gap ? "unwitnessed" : "no-answer",
      ns: BigInt(record.elapsedNs) - deliveredNs,
    },
    { cause: "beyond-granted", ns: deliveredNs - chargedNs },
  ];
  return parts.filter(({ ns }) => ns > 0n);
}

export interface LateTerms {
  readonly grantedFrom: string;
  readonly grantedNs: bigint;
  /** Of the host's wipe receipt. */
  readonly wipedAt: string | null;
}

/**
 * From the begin of the granted period until the first record, which is the guest's first answer;
 * without any, until the host had wiped what there was. Never more than was granted.
 */
export function lateStretch(
  records: readonly HashedRecord[],
  { grantedFrom, grantedNs, wipedAt }: LateTerms,
): { readonly beginMs: number; readonly endMs: number } {
  const beginMs = Date.parse(grantedFrom);
  const untilMs = Date.parse(records[0]?.record.from.at ?? wipedAt ?? grantedFrom);
  const grantedEndMs = beginMs + Number(grantedNs / NS_PER_MS);
  return { beginMs, endMs: Math.max(beginMs, Math.min(untilMs, grantedEndMs)) };
}

export const NS_PER_MS = 1_000_000n;

/** An agent notices a moment after it has begun. */
const NOTICED_WITHIN_MS = 60_000;

/** The event that caused time between these instants not to be delivered; null when none is known. */
export function causeOf(
  events: readonly DeliveryEvent[],
  beginMs: number,
  endMs: number,
): DeliveryEvent | null {
  let open: DeliveryEvent | null = null;
  for (const event of events) {
    const atMs = Date.parse(event.at);
    if (atMs > endMs + NOTICED_WITHIN_MS) break;
    if (BEGINS.includes(event.kind)) open = event;
    else if (atMs <= beginMs) open = null;
  }
  return open;
}
