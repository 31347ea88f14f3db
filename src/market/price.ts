import { divideUp } from "../unit/money.ts";
import type { CpuMode } from "../unit/schema.ts";
import type { Size } from "../unit/size.ts";
import type { Quote } from "./quote.ts";
import type { Tariff } from "./tariff.ts";

/**
 * The most that `seconds` of a partition of this size can cost. Each part is rounded up to the
 * micro-unit and the total to the minor unit, so that no bill, which rounds halves to even, can
 * exceed it. Dedicated cores are priced by what is reserved; shared cpu by what is used, which is
 * `size.cpuMilli` for all of the time at the most.
 */
export function quote(size: Size, cpuMode: CpuMode, seconds: number, tariff: Tariff): Quote {
  const whole = partsMicros(size, cpuMode, BigInt(seconds), tariff);
  const hour = partsMicros(size, cpuMode, SECONDS_PER_HOUR, tariff);
  const minorUnitMicros = 10n ** BigInt(6 - tariff.minorUnitDigits);
  const totalMinorUnits = divideUp(whole.fixed + whole.meteredMax, minorUnitMicros);
  return {
    perHourMicros: (hour.fixed + hour.meteredMax).toString(),
    fixedMicros: whole.fixed.toString(),
    meteredMaxMicros: whole.meteredMax.toString(),
    totalMicros: (totalMinorUnits * minorUnitMicros).toString(),
  };
}

const SECONDS_PER_HOUR = 3600n;
const MILLI_PER_CORE = 1000n;
const BYTES_PER_GIB = 1n << 30n;

function partsMicros(
  size: Size,
  cpuMode: CpuMode,
  seconds: bigint,
  tariff: Tariff,
): { fixed: bigint; meteredMax: bigint } {
  const part = (quantity: number, perPriced: bigint, priceMicrosPerHour: string): bigint =>
    divideUp(BigInt(quantity) * seconds * BigInt(priceMicrosPerHour), perPriced * SECONDS_PER_HOUR);
  const cpu = (price: string) => part(size.cpuMilli, MILLI_PER_CORE, price);
  const rest =
    part(size.memoryBytes, BYTES_PER_GIB, tariff.priceMicrosPerMemoryGibHour) +
    part(size.diskBytes, BYTES_PER_GIB, tariff.priceMicrosPerDiskGibHour) +
    part(1, 1n, tariff.priceMicrosPerHour);
  return cpuMode === "dedicated"
    ? { fixed: rest + cpu(tariff.priceMicrosPerCoreHour), meteredMax: 0n }
    : { fixed: rest, meteredMax: cpu(tariff.priceMicrosPerSharedCoreHour ?? "0") };
}
