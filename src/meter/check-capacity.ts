import { type BillingPeriod, periodAt } from "../enablement/capacity/billing-period.ts";
import { type CapacityResource, sizeOf } from "../enablement/capacity/resource.ts";
import { ruleName, type Threshold, type ThresholdRule } from "../enablement/capacity/terms.ts";
import { canonicalJson } from "../unit/canonical.ts";
import type { CpuMode } from "../unit/schema.ts";
import { sizesEqual } from "../unit/size.ts";
import type { RecordCapacity } from "./capacity-record.ts";
import { excessAdded, milliCoreNs } from "./excess.ts";
import type { UsageRecord } from "./record.ts";

/** What the host's acts and the chain's code say, which its records must follow from. */
export interface ClaimTerms {
  readonly serviceId: string;
  readonly mode: CpuMode;
  readonly resource: CapacityResource;
  readonly quantity: number;
  readonly billingPeriod: BillingPeriod;
  readonly threshold: ThresholdRule;
}

/** A code that a record may draw on: issued by the chain's provider to this host. */
export interface DebitTerms {
  readonly resource: CapacityResource;
  readonly validFromMs: number;
  readonly validUntilMs: number;
  /** Not drawn by other records yet. */
  readonly left: bigint;
}

/** Of the partition's shared use by the record's provider and rule in its period, before it. */
export interface UsedBefore {
  readonly used: bigint;
  /** Nothing lacks in it. Otherwise it is the least that it can have been. */
  readonly isWhole: boolean;
  /** Of the period's other records; null: there are none yet. */
  readonly threshold: Threshold | null;
}

/** Why a record's claims do not follow from its readings, its terms and its codes; null: they do. */
export function claimFault(
  record: UsageRecord,
  terms: ClaimTerms,
  before: UsedBefore,
  codeOf: (codeId: string) => DebitTerms | undefined,
): string | null {
  const { capacity } = record;
  if (!capacity) return "it says nothing of capacity";
  return (
    identityFault(record, capacity, terms) ??
    thresholdFault(capacity, terms, before) ??
    quantityFault(record, capacity, terms, before) ??
    debitFault(record, capacity, terms, codeOf)
  );
}

function identityFault(
  { from, to, cpuMode, size }: UsageRecord,
  { serviceId, mode, resource, period }: RecordCapacity,
  terms: ClaimTerms,
): string | null {
  if (serviceId !== terms.serviceId) return "it names another service than its chain";
  if (mode !== terms.mode || cpuMode !== terms.mode) return "it is metered in another mode";
  if (resource !== terms.resource) return "it names another resource than its service";
  if (mode === "dedicated" && !sizesEqual(size, sizeOf(resource, terms.quantity))) {
    return "it states another size than its service";
  }
  const { startMs, endMs } = periodAt(terms.billingPeriod, Date.parse(from.at));
  if (Date.parse(period.start) !== startMs || Date.parse(period.end) !== endMs) {
    return "it names another billing period than it lies in";
  }
  if (Date.parse(to.at) > endMs) return "it goes over the end of its billing period";
  return null;
}

function thresholdFault(
  { mode, threshold }: RecordCapacity,
  terms: ClaimTerms,
  before: UsedBefore,
): string | null {
  if ((threshold === null) !== (mode === "dedicated")) {
    return "shared use has a threshold, and dedicated use has none";
  }
  if (threshold === null) return null;
  if (ruleName(threshold) !== ruleName(terms.threshold)) {
    return "its threshold is not of its code's kind";
  }
  if (before.threshold && canonicalJson(before.threshold) !== canonicalJson(threshold)) {
    return "the threshold changed within the billing period";
  }
  return null;
}

function quantityFault(
  { deliveredNs, cpuNs, elapsedNs }: UsageRecord,
  { threshold, meteredQuantity }: RecordCapacity,
  { quantity }: ClaimTerms,
  { used, isWhole }: UsedBefore,
): string | null {
  const stated = BigInt(meteredQuantity);
  const piece = { cpuNs: BigInt(cpuNs), elapsedNs: BigInt(elapsedNs) };
  const right =
    threshold === null
      ? BigInt(quantity) * BigInt(deliveredNs)
      : excessAdded(threshold, used, piece);
  const isOpen = threshold?.kind === "allowance" && !isWhole;
  const isRight = isOpen ? stated >= right && stated <= milliCoreNs(piece.cpuNs) : stated === right;
  return isRight ? null : `it states ${stated} as metered, and ${right} follows from its readings`;
}

function debitFault(
  { from }: UsageRecord,
  { debits, overdraft, meteredQuantity }: RecordCapacity,
  { resource }: ClaimTerms,
  codeOf: (codeId: string) => DebitTerms | undefined,
): string | null {
  const atMs = Date.parse(from.at);
  let sum = BigInt(overdraft);
  const seen = new Set<string>();
  for (const { codeId, quantity } of debits) {
    const code = codeOf(codeId);
    if (code === undefined || code.resource !== resource) {
      return `it draws on ${codeId}, which is not a code for it`;
    }
    if (seen.has(codeId)) return `it draws on ${codeId} twice`;
    seen.add(codeId);
    if (atMs < code.validFromMs || atMs >= code.validUntilMs) {
      return `it draws on ${codeId}, which was not valid then`;
    }
    if (BigInt(quantity) > code.left) return `it draws more from ${codeId} than was left`;
    sum += BigInt(quantity);
  }
  return sum === BigInt(meteredQuantity)
    ? null
    : "its debits and overdraft are not what was metered";
}
