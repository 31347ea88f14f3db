import type { Tariff } from "../../market/tariff.ts";
import type { HashedRecord, UsageRecord } from "../../meter/record.ts";
import type { CpuMode } from "../../unit/schema.ts";
import type { Size } from "../../unit/size.ts";
import type { BillLine } from "../bill.ts";
import {
  divide,
  multiply,
  type Rational,
  rational,
  roundDown,
  roundHalfEven,
  roundUp,
} from "./rational.ts";

/** What the bill must say, worked out from the records alone. */
export interface Expected {
  readonly lines: readonly BillLine[];
  readonly elapsedNs: bigint;
  readonly deliveredNs: bigint;
  readonly sumMicros: bigint;
  readonly totalMicros: bigint;
}

/** What was granted, and when the host said that all was wiped. */
export interface Allowed {
  readonly grantedNs: bigint;
  readonly grantedFrom: string;
  readonly wipedAt: string | null;
}

interface ExpectedTerms {
  readonly tariff: Tariff;
  readonly cpuMode: CpuMode;
  /** Null: no grant limits the charged time. */
  readonly allowed: Allowed | null;
}

export function expectBill(
  records: readonly HashedRecord[],
  { tariff, cpuMode, allowed }: ExpectedTerms,
): Expected {
  const grantedNs = allowed?.grantedNs ?? null;
  let elapsedNs = 0n;
  let deliveredNs = 0n;
  let chargedNs = 0n;
  const quantity = { cpu: 0n, memory: 0n, disk: 0n };
  for (const { record } of records) {
    elapsedNs += BigInt(record.elapsedNs);
    deliveredNs += BigInt(record.deliveredNs);
    const upTo = grantedNs !== null && deliveredNs > grantedNs ? grantedNs : deliveredNs;
    const ns = upTo - chargedNs;
    chargedNs = upTo;
    quantity.cpu +=
      cpuMode === "shared" ? usedMilliCoreNs(record, ns) : reservedMilliCoreNs(record, ns);
    quantity.memory += BigInt(record.size.memoryBytes) * ns;
    quantity.disk += BigInt(record.size.diskBytes) * ns;
  }
  const lines: BillLine[] = [
    cpuMode === "shared"
      ? {
          ...charged("cpu", "milliCoreNs", quantity.cpu, sharedPrice(tariff), CORE),
          rule: "used-while-delivered",
        }
      : charged("cpu", "milliCoreNs", quantity.cpu, tariff.priceMicrosPerCoreHour, CORE),
    charged("memory", "byteNs", quantity.memory, tariff.priceMicrosPerMemoryGibHour, GIB),
    charged("disk", "byteNs", quantity.disk, tariff.priceMicrosPerDiskGibHour, GIB),
  ];
  if (tariff.priceMicrosPerHour !== "0") {
    lines.push(charged("time", "ns", chargedNs, tariff.priceMicrosPerHour, ONE));
  }
  const sumMicros = lines.reduce((sum, line) => sum + BigInt(line.amountMicros), 0n);
  const freeNs = elapsedNs - chargedNs + waitedNs(records, allowed);
  if (freeNs > 0n) {
    const free = charged("time", "ns", freeNs, "0", ONE);
    lines.push({ ...free, rule: "not-delivered" });
  }
  const minorUnit = minorUnitOf(tariff);
  const minorUnits = roundHalfEven(divide(rational(sumMicros), minorUnit));
  const totalMicros = minorUnits * minorUnit.over;
  return { lines, elapsedNs, deliveredNs, sumMicros, totalMicros };
}

/** Granted time before there was anything to meter; nothing of it may be charged. */
function waitedNs(records: readonly HashedRecord[], allowed: Allowed | null): bigint {
  if (allowed === null) return 0n;
  const begin = Date.parse(allowed.grantedFrom);
  const first = records.at(0)?.record.from.at ?? allowed.wipedAt;
  const milliseconds = first === null ? 0 : Math.max(0, Date.parse(first) - begin);
  const waited = BigInt(milliseconds) * 1_000_000n;
  return waited > allowed.grantedNs ? allowed.grantedNs : waited;
}

/** The most that the granted period can cost: every part rounded up, and their sum again. */
export function quotedMicros(
  { size, cpuMode }: { readonly size: Size; readonly cpuMode: CpuMode },
  tariff: Tariff,
  grantedNs: bigint,
): bigint {
  const most = (reserved: number, priced: Rational, price: string): bigint =>
    roundUp(priceOf(BigInt(reserved) * grantedNs, priced, price));
  const sumMicros =
    most(
      size.cpuMilli,
      CORE,
      cpuMode === "shared" ? sharedPrice(tariff) : tariff.priceMicrosPerCoreHour,
    ) +
    most(size.memoryBytes, GIB, tariff.priceMicrosPerMemoryGibHour) +
    most(size.diskBytes, GIB, tariff.priceMicrosPerDiskGibHour) +
    most(1, ONE, tariff.priceMicrosPerHour);
  const minorUnit = minorUnitOf(tariff);
  return roundUp(divide(rational(sumMicros), minorUnit)) * minorUnit.over;
}

function reservedMilliCoreNs({ size }: UsageRecord, ns: bigint): bigint {
  return BigInt(size.cpuMilli) * ns;
}

/**
 * Of shared cpu: the record's use for the part of its time that is charged, at an even pace, and
 * at most the cap for that time.
 */
function usedMilliCoreNs(record: UsageRecord, ns: bigint): bigint {
  if (record.elapsedNs === "0") return 0n;
  const cores = divide(rational(BigInt(record.cpuNs)), rational(BigInt(record.elapsedNs)));
  const used = roundDown(multiply(multiply(cores, CORE), rational(ns)));
  const cap = reservedMilliCoreNs(record, ns);
  if (used > cap) return cap;
  return used;
}

function sharedPrice({ priceMicrosPerSharedCoreHour }: Tariff): string {
  return priceMicrosPerSharedCoreHour ?? "0";
}

const ONE = rational(1n);
const CORE = rational(1000n);
const GIB = rational(1024n * 1024n * 1024n);
const HOUR_NS = rational(60n * 60n * 1000n * 1000n * 1000n);

function charged(
  resource: BillLine["resource"],
  unit: BillLine["unit"],
  quantity: bigint,
  price: string,
  priced: Rational,
): BillLine {
  return {
    resource,
    rule: "reserved-while-delivered",
    quantity: quantity.toString(),
    unit,
    priceMicrosPerHour: price,
    amountMicros: roundHalfEven(priceOf(quantity, priced, price)).toString(),
  };
}

/** Quantity over what one price buys, in hours, times the price; nothing is rounded yet. */
function priceOf(quantity: bigint, priced: Rational, price: string): Rational {
  const hours = divide(divide(rational(quantity), priced), HOUR_NS);
  return multiply(hours, rational(BigInt(price)));
}

/** In micro-units. */
function minorUnitOf({ minorUnitDigits }: Tariff): Rational {
  return rational(BigInt(`1${"0".repeat(6 - minorUnitDigits)}`));
}
