import { CHARGED_RESOURCES, type ChargedResource } from "../market/tariff.ts";
import type { HashedRecord, UsageRecord } from "../meter/record.ts";
import { type QuantityUnit, UNIT_OF } from "./amount.ts";

export interface Charge {
  readonly seq: number;
  readonly resource: ChargedResource;
  readonly rule: "reserved-while-delivered";
  readonly quantity: bigint;
  readonly unit: QuantityUnit;
}

/**
 * What each record charges, in quantities: what was reserved × the time that it was delivered. In
 * the order of the records, time is charged up to `grantedNs`, the length of the granted period:
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
      rule: "reserved-while-delivered" as const,
      quantity: reserved(resource, record) * chargedNs,
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
