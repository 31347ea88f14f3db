import fc from "fast-check";
import type { Tariff } from "../market/tariff.ts";
import {
  SAMPLE_OPTIONS,
  SAMPLE_TERMS,
  sampleReading,
  sampleRecords,
} from "../meter/metered.sample.ts";
import type { HashedRecord } from "../meter/record.ts";
import type { Size } from "../unit/size.ts";
import type { BillInput } from "./make-bill.ts";

/** For tests: prices that make every kind of rounding happen. */
export const SAMPLE_TARIFF: Tariff = {
  version: 1,
  currency: "EUR",
  minorUnitDigits: 2,
  priceMicrosPerCoreHour: "40003",
  priceMicrosPerSharedCoreHour: "70019",
  priceMicrosPerMemoryGibHour: "5007",
  priceMicrosPerDiskGibHour: "111",
  priceMicrosPerHour: "1009",
  operatorFeePpm: 50_000,
  rounding: "half-even",
};

export const SAMPLE_IDENTITY = {
  billId: "bill_01k0000000000000000000",
  leaseId: SAMPLE_TERMS.chainId,
  client: { id: "party_01k0000000000000000001", name: "client" },
  lender: { id: "party_01k0000000000000000002", name: "lender" },
  host: { id: SAMPLE_TERMS.hostId, name: "host-1" },
  partition: { id: SAMPLE_TERMS.partitionId, name: "slice-1" },
  timeZone: "UTC",
} as const;

export function sampleBillInput(records: readonly HashedRecord[]): BillInput {
  return {
    ...SAMPLE_IDENTITY,
    tariff: SAMPLE_TARIFF,
    cpuMode: records[0]?.record.cpuMode ?? "dedicated",
    size: records[0]?.record.size ?? SAMPLE_TERMS.size,
    kind: "final",
    period: { start: "2027-01-31T08:00:00Z", end: null },
    earlier: [],
    records,
    missing: [],
    grantedNs: 7_200_000_000_000n,
    grantedFrom: "2027-01-31T08:00:00Z",
    wipedAt: null,
    events: [],
    closedAt: new Date("2027-01-31T10:00:05Z"),
  };
}

const price = fc.oneof(fc.constant("0"), fc.bigInt({ min: 0n, max: 10n ** 9n }).map(String));
export const anyTariff: fc.Arbitrary<Tariff> = fc.record({
  version: fc.constant(1),
  currency: fc.constant("EUR"),
  minorUnitDigits: fc.integer({ min: 0, max: 6 }),
  priceMicrosPerCoreHour: price,
  priceMicrosPerSharedCoreHour: price,
  priceMicrosPerMemoryGibHour: price,
  priceMicrosPerDiskGibHour: price,
  priceMicrosPerHour: price,
  operatorFeePpm: fc.integer({ min: 0, max: 1_000_000 }),
  rounding: fc.constant("half-even"),
});

export const anySize: fc.Arbitrary<Size> = fc.record({
  cpuMilli: fc.integer({ min: 0, max: 256_000 }),
  memoryBytes: fc.integer({ min: 0, max: 2 ** 42 }),
  diskBytes: fc.integer({ min: 0, max: 2 ** 45 }),
});

/** A metered lease: answers and restarts at random, some seconds between readings. */
export const anyReadings = fc
  .array(
    fc.record({ ms: fc.nat({ max: 40_000 }), answered: fc.boolean(), boot: fc.nat({ max: 9 }) }),
    {
      minLength: 1,
      maxLength: 25,
    },
  )
  .map((steps) => {
    let ms = 0;
    let boots = 0;
    return steps.map((step) => {
      ms += step.ms;
      if (step.boot === 0) boots++;
      const names = { bootId: `boot-${boots}`, processId: `process-${boots}` };
      return sampleReading(ms / 1000, { ...names, answered: step.answered });
    });
  });

export const anyRecords = (grantJws: string): fc.Arbitrary<readonly HashedRecord[]> =>
  fc
    .tuple(anyReadings, anySize, fc.constantFrom("dedicated", "shared"))
    .map(([readings, size, cpuMode]) =>
      sampleRecords(grantJws, readings, { ...SAMPLE_TERMS, size, cpuMode }, SAMPLE_OPTIONS),
    );
