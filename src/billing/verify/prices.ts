import type { Tariff } from "../../market/tariff.ts";
import type { CpuMode } from "../../unit/schema.ts";
import type { Size } from "../../unit/size.ts";
import type { BillLine } from "../bill.ts";
import { divide, multiply, type Rational, rational, roundHalfEven, roundUp } from "./rational.ts";

/** What one price of a resource buys, in an hour, and the unit that it is counted in. */
const PRICED = {
  cpu: { unit: "milliCoreNs", buys: rational(1000n) },
  memory: { unit: "byteNs", buys: rational(1024n * 1024n * 1024n) },
  disk: { unit: "byteNs", buys: rational(1024n * 1024n * 1024n) },
  time: { unit: "ns", buys: rational(1n) },
} as const;
const HOUR_NS = rational(60n * 60n * 1000n * 1000n * 1000n);

export function unitOf(resource: BillLine["resource"]): BillLine["unit"] {
  return PRICED[resource].unit;
}

export function priceOf({ resource, rule }: BillLine, tariff: Tariff): string {
  if (rule === "not-delivered") return "0";
  if (rule === "used-while-delivered") return tariff.priceMicrosPerSharedCoreHour ?? "0";
  return reservedPrice(resource, tariff);
}

function reservedPrice(resource: BillLine["resource"], tariff: Tariff): string {
  switch (resource) {
    case "cpu":
      return tariff.priceMicrosPerCoreHour;
    case "memory":
      return tariff.priceMicrosPerMemoryGibHour;
    case "disk":
      return tariff.priceMicrosPerDiskGibHour;
    case "time":
      return tariff.priceMicrosPerHour;
  }
}

/** Rounded once, half to even; below zero like above. */
export function amountOf(resource: BillLine["resource"], quantity: bigint, price: string): bigint {
  const amount = roundHalfEven(costOf(resource, quantity < 0n ? -quantity : quantity, price));
  return quantity < 0n ? -amount : amount;
}

/** Quantity over what one price buys, in hours, times the price; nothing is rounded yet. */
function costOf(resource: BillLine["resource"], quantity: bigint, price: string): Rational {
  const hours = divide(divide(rational(quantity), PRICED[resource].buys), HOUR_NS);
  return multiply(hours, rational(BigInt(price)));
}

interface Granted {
  readonly size: Size;
  readonly cpuMode: CpuMode;
}

/** What of the time of a line was reserved and cost nothing, had it been delivered. */
export function notChargedOf(
  { cause, quantity }: BillLine,
  { size, cpuMode }: Granted,
  tariff: Tariff,
): bigint {
  if (cause === "beyond-granted") return 0n;
  const ns = BigInt(quantity);
  const cpu =
    cpuMode === "shared"
      ? 0n
      : amountOf("cpu", BigInt(size.cpuMilli) * ns, tariff.priceMicrosPerCoreHour);
  return (
    cpu +
    amountOf("memory", BigInt(size.memoryBytes) * ns, tariff.priceMicrosPerMemoryGibHour) +
    amountOf("disk", BigInt(size.diskBytes) * ns, tariff.priceMicrosPerDiskGibHour) +
    amountOf("time", ns, tariff.priceMicrosPerHour)
  );
}

/** The most that the granted period can cost: every part rounded up, and their sum again. */
export function quotedMicros(
  { size, cpuMode }: Granted,
  tariff: Tariff,
  grantedNs: bigint,
): bigint {
  const most = (resource: BillLine["resource"], reserved: number, price: string): bigint =>
    roundUp(costOf(resource, BigInt(reserved) * grantedNs, price));
  const corePrice =
    cpuMode === "shared"
      ? (tariff.priceMicrosPerSharedCoreHour ?? "0")
      : tariff.priceMicrosPerCoreHour;
  const sumMicros =
    most("cpu", size.cpuMilli, corePrice) +
    most("memory", size.memoryBytes, tariff.priceMicrosPerMemoryGibHour) +
    most("disk", size.diskBytes, tariff.priceMicrosPerDiskGibHour) +
    most("time", 1, tariff.priceMicrosPerHour);
  const minorUnit = minorUnitOf(tariff);
  return roundUp(divide(rational(sumMicros), minorUnit)) * minorUnit.over;
}

/** To the tariff's minor unit, half to even. */
export function roundedTotal(micros: bigint, tariff: Tariff): bigint {
  const minorUnit = minorUnitOf(tariff);
  const units = roundHalfEven(divide(rational(micros < 0n ? -micros : micros), minorUnit));
  return (micros < 0n ? -units : units) * minorUnit.over;
}

/** In micro-units. */
function minorUnitOf({ minorUnitDigits }: Tariff): Rational {
  return rational(BigInt(`1${"0".repeat(6 - minorUnitDigits)}`));
}
