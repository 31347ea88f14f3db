import type { ChargedResource, Tariff } from "../market/tariff.ts";
import { divideHalfEven } from "../unit/money.ts";
import type { CpuMode } from "../unit/schema.ts";

/**
 * What a quantity costs, rounded once, half to even, to the micro-unit. Call it with the sum of the
 * quantities: the sum of rounded parts is another number.
 */
export function amountMicros(
  resource: ChargedResource,
  quantity: bigint,
  priceMicrosPerHour: bigint,
): bigint {
  return divideHalfEven(quantity * priceMicrosPerHour, QUANTITY_PER_PRICED_HOUR[resource]);
}

/** Shared cpu has a price of its own, since it is charged by use. */
export function priceMicrosPerHour(
  resource: ChargedResource,
  tariff: Tariff,
  cpuMode: CpuMode,
): bigint {
  if (resource === "cpu" && cpuMode === "shared") {
    return BigInt(tariff.priceMicrosPerSharedCoreHour ?? "0");
  }
  return BigInt(tariff[PRICE_OF[resource]]);
}

export const UNIT_OF = {
  cpu: "milliCoreNs",
  memory: "byteNs",
  disk: "byteNs",
  time: "ns",
} as const satisfies Record<ChargedResource, string>;
export type QuantityUnit = (typeof UNIT_OF)[ChargedResource];

const NS_PER_HOUR = 3_600_000_000_000n;
/** How much of the unit one price buys: a core-hour, a GiB-hour, an hour. */
const QUANTITY_PER_PRICED_HOUR: Readonly<Record<ChargedResource, bigint>> = {
  cpu: 1000n * NS_PER_HOUR,
  memory: (1n << 30n) * NS_PER_HOUR,
  disk: (1n << 30n) * NS_PER_HOUR,
  time: NS_PER_HOUR,
};

const PRICE_OF = {
  cpu: "priceMicrosPerCoreHour",
  memory: "priceMicrosPerMemoryGibHour",
  disk: "priceMicrosPerDiskGibHour",
  time: "priceMicrosPerHour",
} as const satisfies Record<ChargedResource, keyof Tariff>;
