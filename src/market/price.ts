import { divideUp } from "../unit/money.ts";
import type { CpuMode } from "../unit/schema.ts";
import type { Size } from "../unit/size.ts";
import type { Quote } from "./quote.ts";
import type { Tariff } from "./tariff.ts";

/**
 * The most that `seconds` of a partition of this size can cost. Each part is rounded up to the
 * micro-unit and the total to the minor unit, so that no bill, which rounds halves to even, can
 * exceed it. Shared partitions are priced by their entitlement, as dedicated ones by their cores:
 * no part of either is priced by use yet.
 */
export function quote(size: Size, _cpuMode: CpuMode, seconds: number, tariff: Tariff): Quote {
  const fixedMicros = partsMicros(size, BigInt(seconds), tariff);
  const meteredMaxMicros = 0n;
  const minorUnitMicros = 10n ** BigInt(6 - tariff.minorUnitDigits);
  const totalMinorUnits = divideUp(fixedMicros + meteredMaxMicros, minorUnitMicros);
  return {
    perHourMicros: partsMicros(size, SECONDS_PER_HOUR, tariff).toString(),
    fixedMicros: fixedMicros.toString(),
    meteredMaxMicros: meteredMaxMicros.toString(),
    totalMicros: (totalMinorUnits * minorUnitMicros).toString(),
  };
}

const SECONDS_PER_HOUR = 3600n;
const MILLI_PER_CORE = 1000n;
const BYTES_PER_GIB = 1n << 30n;

function partsMicros(size: Size, seconds: bigint, tariff: Tariff): bigint {
  const part = (quantity: number, perPriced: bigint, priceMicrosPerHour: string): bigint =>
    divideUp(BigInt(quantity) * seconds * BigInt(priceMicrosPerHour), perPriced * SECONDS_PER_HOUR);
  return (
    part(size.cpuMilli, MILLI_PER_CORE, tariff.priceMicrosPerCoreHour) +
    part(size.memoryBytes, BYTES_PER_GIB, tariff.priceMicrosPerMemoryGibHour) +
    part(size.diskBytes, BYTES_PER_GIB, tariff.priceMicrosPerDiskGibHour) +
    part(1, 1n, tariff.priceMicrosPerHour)
  );
}
