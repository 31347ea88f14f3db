import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CHARGED_RESOURCES } from "../market/tariff.ts";
import { SAMPLE_TERMS, sampleReading, sampleRecords } from "../meter/metered.sample.ts";
import { amountMicros, priceMicrosPerHour } from "./amount.ts";
import { chargedQuantity, rateRecords } from "./rate.ts";

const HOUR_NS = 3_600_000_000_000n;
const NO_LIMIT = { grantedNs: 10n ** 30n };
const records = sampleRecords(
  "grant",
  [0, 10, 20, 30, 40, 50, 60, 70, 80].map((second) =>
    sampleReading(second, { answered: second !== 40 }),
  ),
);

describe("quantities", () => {
  test("are what is reserved while it is delivered, for each record and resource", () => {
    const charges = rateRecords(records, NO_LIMIT);
    expect(
      charges.map(({ seq, resource, quantity, unit }) => [seq, resource, quantity, unit]),
    ).toEqual([
      [1, "cpu", 1500n * 40_000_000_000n, "milliCoreNs"],
      [1, "memory", BigInt(3 * 2 ** 29) * 40_000_000_000n, "byteNs"],
      [1, "disk", BigInt(5 * 2 ** 30) * 40_000_000_000n, "byteNs"],
      [1, "time", 40_000_000_000n, "ns"],
      [2, "cpu", 1500n * 20_000_000_000n, "milliCoreNs"],
      [2, "memory", BigInt(3 * 2 ** 29) * 20_000_000_000n, "byteNs"],
      [2, "disk", BigInt(5 * 2 ** 30) * 20_000_000_000n, "byteNs"],
      [2, "time", 20_000_000_000n, "ns"],
    ]);
  });

  test("do not depend on how busy the guest's cpus were", () => {
    const idle = records.map(({ record, hash }) => ({ hash, record: { ...record, cpuNs: "0" } }));
    expect(rateRecords(idle, NO_LIMIT)).toEqual(rateRecords(records, NO_LIMIT));
  });

  test.each([
    [60_000_000_000n, 60_000_000_000n],
    [59_999_999_999n, 59_999_999_999n],
    [40_000_000_000n, 40_000_000_000n],
    [1n, 1n],
    [0n, 0n],
    [-1n, 0n],
  ])("of %d ns granted charge %d", (grantedNs, charged) => {
    const charges = rateRecords(records, { grantedNs });
    expect(chargedQuantity(charges, "time")).toBe(charged);
    expect(chargedQuantity(charges, "cpu")).toBe(charged * BigInt(SAMPLE_TERMS.size.cpuMilli));
  });
});

describe("shared cpu", () => {
  const SECOND_NS = 1_000_000_000n;
  const terms = { ...SAMPLE_TERMS, cpuMode: "shared" } as const;
  const shared = (readings: Parameters<typeof sampleRecords>[1]) =>
    sampleRecords("grant", readings, terms);
  const readings = [0, 10, 20, 30].map((second) => sampleReading(second));
  const cpuOf = (of: Parameters<typeof rateRecords>[0], grantedNs = NO_LIMIT.grantedNs) =>
    chargedQuantity(rateRecords(of, { grantedNs }), "cpu");

  test("is charged by what was used, and the rest by what was reserved", () => {
    const charges = rateRecords(shared(readings), NO_LIMIT);
    expect(charges.map(({ resource, rule, quantity }) => [resource, rule, quantity])).toEqual([
      // The guest runs on half a core.
      ["cpu", "used-while-delivered", 500n * 30n * SECOND_NS],
      ["memory", "reserved-while-delivered", BigInt(3 * 2 ** 29) * 30n * SECOND_NS],
      ["disk", "reserved-while-delivered", BigInt(5 * 2 ** 30) * 30n * SECOND_NS],
      ["time", "reserved-while-delivered", 30n * SECOND_NS],
    ]);
  });

  test("that was used while nothing was delivered is not charged", () => {
    // 10 s on half a core; 20 s in which the guest does not answer and burns two cores; 10 s more.
    const cpuNs = (ms: number) => BigInt(ms) * 1_000_000n;
    const records = shared([
      sampleReading(0, { cpuNs: 0n }),
      sampleReading(10, { cpuNs: cpuNs(5_000) }),
      sampleReading(20, { cpuNs: cpuNs(25_000), answered: false }),
      sampleReading(30, { cpuNs: cpuNs(45_000) }),
      sampleReading(40, { cpuNs: cpuNs(50_000) }),
    ]);
    expect(records.map(({ record }) => [record.deliveredNs, record.cpuNs])).toEqual([
      [String(10n * SECOND_NS), String(cpuNs(5_000))],
      ["0", String(cpuNs(40_000))],
      [String(10n * SECOND_NS), String(cpuNs(5_000))],
    ]);
    expect(cpuOf(records)).toBe(1000n * cpuNs(10_000));
  });

  test("beyond the granted time is not charged, evenly", () => {
    expect(cpuOf(shared(readings), 15n * SECOND_NS)).toBe(500n * 15n * SECOND_NS);
  });

  test("is never charged above its cap", () => {
    const busy = readings.map((reading, i) => ({ ...reading, cpuNs: BigInt(i) * 90n * SECOND_NS }));
    expect(cpuOf(shared(busy))).toBe(BigInt(SAMPLE_TERMS.size.cpuMilli) * 30n * SECOND_NS);
  });
});

describe("amounts", () => {
  test.each<["cpu" | "memory" | "disk" | "time", bigint, bigint, bigint]>([
    ["cpu", 1000n * HOUR_NS, 40_000n, 40_000n],
    ["cpu", 1500n * HOUR_NS, 40_000n, 60_000n],
    ["memory", 2n ** 30n * HOUR_NS, 10_000n, 10_000n],
    ["disk", 5n * 2n ** 30n * HOUR_NS, 111n, 555n],
    ["time", HOUR_NS, 7n, 7n],
    ["time", HOUR_NS / 2n, 1n, 0n],
    ["time", (HOUR_NS / 2n) * 3n, 1n, 2n],
    ["time", HOUR_NS / 2n + 1n, 1n, 1n],
    ["time", 0n, 1n, 0n],
    ["cpu", 1000n * HOUR_NS, 0n, 0n],
  ])("%s: %d at %d makes %d", (resource, quantity, price, micros) => {
    expect(amountMicros(resource, quantity, price)).toBe(micros);
  });

  const quantity = fc.bigInt({ min: 0n, max: 10n ** 34n });
  const price = fc.bigInt({ min: 0n, max: 10n ** 12n });
  const resource = fc.constantFrom(...CHARGED_RESOURCES);

  test("never fall when the quantity or the price rises", () => {
    fc.assert(
      fc.property(resource, quantity, price, quantity, price, (of, q, p, moreQ, moreP) => {
        const amount = amountMicros(of, q, p);
        expect(amountMicros(of, q + moreQ, p)).toBeGreaterThanOrEqual(amount);
        expect(amountMicros(of, q, p + moreP)).toBeGreaterThanOrEqual(amount);
      }),
    );
  });

  test("of a sum are within half a micro of exact; the sum of rounded parts need not be", () => {
    const nsPerMicro = HOUR_NS / 1000n;
    const parts = Array.from({ length: 1000 }, () => nsPerMicro / 2n - 1n);
    const sum = parts.reduce((total, part) => total + part, 0n);
    expect(amountMicros("time", sum, 1000n)).toBe(500n);
    expect(parts.reduce((total, part) => total + amountMicros("time", part, 1000n), 0n)).toBe(0n);
    fc.assert(
      fc.property(fc.array(quantity, { maxLength: 20 }), price, (some, p) => {
        const total = some.reduce((a, b) => a + b, 0n);
        const offTwice = 2n * (amountMicros("time", total, p) * HOUR_NS - total * p);
        expect(offTwice <= HOUR_NS && -offTwice <= HOUR_NS).toBe(true);
      }),
    );
  });
});

test("each resource has its own price, and shared cpu another than dedicated", () => {
  const tariff = {
    version: 1,
    currency: "EUR",
    minorUnitDigits: 2,
    priceMicrosPerCoreHour: "1",
    priceMicrosPerSharedCoreHour: "9",
    priceMicrosPerMemoryGibHour: "2",
    priceMicrosPerDiskGibHour: "3",
    priceMicrosPerHour: "4",
    operatorFeePpm: 0,
    rounding: "half-even",
  } as const;
  expect(
    CHARGED_RESOURCES.map((resource) => priceMicrosPerHour(resource, tariff, "dedicated")),
  ).toEqual([1n, 2n, 3n, 4n]);
  expect(priceMicrosPerHour("cpu", tariff, "shared")).toBe(9n);
  expect(priceMicrosPerHour("memory", tariff, "shared")).toBe(2n);
  const { priceMicrosPerSharedCoreHour: _, ...before } = tariff;
  expect(priceMicrosPerHour("cpu", before, "shared")).toBe(0n);
});
