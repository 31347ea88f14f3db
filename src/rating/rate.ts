import { CHARGED_RESOURCES, type ChargedResource } from "../market/tariff.ts";
import type { HashedRecord, UsageRecord } from "../meter/record.ts";
import type { CpuMode } from "../unit/schema.ts";
import { type QuantityUnit, UNIT_OF } from "./amount.ts";

/** What prices a resource: what is reserved, or of shared cpu what is used. */
export type ChargeRule = "reserved-while-delivered" | "used-while-delivered";

export interface Charge {
  readonly seq: number;
  readonly resource: ChargedResource;
  readonly rule: ChargeRule;
  readonly quantity: bigint;
  readonly unit: QuantityUnit;
}

/**
 * What each record charges, in quantities: what was reserved × the time that it was delivered, and
 * of shared cpu what was used in that time. In the order of the records, time is charged up to `grantedNs`, the length of the granted period:
 * the last reading comes a moment after the end, and nobody pays for 720.02 of 720 hours.
 */
export function rateRecords(
  records: readonly HashedRecord[],
  { grantedNs }: { readonly grantedNs: bigint },
): readonly Charge[] {
  let leftNs = grantedNs > 0n ? grantedNs : 0n;
  return records.flatMap(({ record }) => {
    const deliveredNs = BigInt(record.deliveredNs);
    const chargedNs = deliveredNs < leftNs ? deliveredNs : leftNs;
    leftNs -= chargedNs;
    return CHARGED_RESOURCES.map((resource) => ({
      seq: record.seq,
      resource,
      rule: ruleOf(resource, record.cpuMode),
      quantity: quantityOf(resource, record, chargedNs),
      unit: UNIT_OF[resource],
    }));
  });
}

export function chargedQuantity(charges: readonly Charge[], resource: ChargedResource): bigint {
  return charges.reduce(
    (sum, charge) => (charge.resource === resource ? sum + charge.quantity : sum),
    0n,
  );
}

export function ruleOf(resource: ChargedResource, cpuMode: CpuMode): ChargeRule {
  return resource === "cpu" && cpuMode === "shared"
    ? "used-while-delivered"
    : "reserved-while-delivered";
}

function quantityOf(resource: ChargedResource, record: UsageRecord, chargedNs: bigint): bigint {
  const reservedQuantity = reserved(resource, record) * chargedNs;
  if (ruleOf(resource, record.cpuMode) === "reserved-while-delivered") return reservedQuantity;
  const elapsedNs = BigInt(record.elapsedNs);
  if (elapsedNs === 0n) return 0n;
  // A record of shared cpu is delivered wholly or not at all, but for where the granted time ends;
  // there, and where another meter wrote it, its use counts as even. Never above what was quoted.
  const used = (BigInt(record.cpuNs) * MILLI_PER_CORE * chargedNs) / elapsedNs;
  return used < reservedQuantity ? used : reservedQuantity;
}

const MILLI_PER_CORE = 1000n;

function reserved(resource: ChargedResource, { size }: UsageRecord): bigint {
  switch (resource) {
    case "cpu":
      return BigInt(size.cpuMilli);
    case "memory":
      return BigInt(size.memoryBytes);
    case "disk":
      return BigInt(size.diskBytes);
    case "time":
      return 1n;
  }
}
