import { type CodeAccount, type Draw, draw } from "../enablement/capacity/account.ts";
import type { PeriodMs } from "../enablement/capacity/billing-period.ts";
import type { CapacityResource } from "../enablement/capacity/resource.ts";
import type { Threshold } from "../enablement/capacity/terms.ts";
import type { ServiceId } from "../unit/id.ts";
import type { RecordCapacity } from "./capacity-record.ts";
import { excessAdded, milliCoreNs } from "./excess.ts";
import type { OpenInterval } from "./interval.ts";

/** What is known of a service when an interval of one of its chains becomes a record. */
export interface CapacityFacts {
  readonly serviceId: ServiceId;
  readonly resource: CapacityResource;
  /** milliCores or bytes. */
  readonly quantity: number;
  readonly period: PeriodMs;
  /** Of shared use; null of dedicated. */
  readonly threshold: Threshold | null;
  /** All shared use of the partition in this period before, in milliCore-nanoseconds. */
  readonly usedBefore: bigint;
  /** Of the service's provider and resource, with what was debited until now. */
  readonly accounts: readonly CodeAccount[];
  /** It was not given back when it had to be. */
  readonly isUnreturned: boolean;
}

export interface Described {
  readonly capacity: RecordCapacity;
  readonly debits: Draw["debits"];
  /** What the period's shared use grows by. */
  readonly used: bigint;
}

/**
 * What is metered of an interval, and from which codes it is drawn. Dedicated: the quantity for as
 * long as it was in service in a running guest. Shared: the excess over the threshold. Edges of the
 * codes' validity lie between records, so the codes in force at its begin are those of all of it.
 */
export function describeCapacity(interval: OpenInterval, facts: CapacityFacts): Described {
  const { serviceId, resource, period, threshold, accounts } = facts;
  const atMs = Date.parse(interval.from.at);
  const metered =
    threshold === null
      ? BigInt(facts.quantity) * interval.deliveredNs
      : excessAdded(threshold, facts.usedBefore, interval);
  const { debits, overdraft } = draw(accounts, atMs, metered);
  const isUnreturned = facts.isUnreturned || !isAnyValid(accounts, atMs);
  return {
    capacity: {
      serviceId,
      mode: threshold === null ? "dedicated" : "shared",
      resource,
      period: { start: instant(period.startMs), end: instant(period.endMs) },
      state: isUnreturned ? "unreturned" : "in-service",
      threshold,
      meteredQuantity: metered.toString(),
      debits: debits.map(({ codeId, quantity }) => ({ codeId, quantity: quantity.toString() })),
      overdraft: overdraft.toString(),
    },
    debits,
    used: threshold === null ? 0n : milliCoreNs(interval.cpuNs),
  };
}

/** Whether any code is valid at the instant, used up or not. */
export function isAnyValid(accounts: readonly CodeAccount[], atMs: number): boolean {
  return accounts.some(
    ({ validFromMs, validUntilMs }) => validFromMs <= atMs && atMs < validUntilMs,
  );
}

function instant(ms: number): string {
  return new Date(ms).toISOString();
}
