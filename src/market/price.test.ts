import fc from "fast-check";
import { expect, test } from "vitest";
import { quote } from "./price.ts";
import { quoteSchema } from "./quote.ts";
import type { Tariff } from "./tariff.ts";

const FREE: Tariff = {
  version: 1,
  currency: "EUR",
  minorUnitDigits: 2,
  priceMicrosPerCoreHour: "0",
  priceMicrosPerMemoryGibHour: "0",
  priceMicrosPerDiskGibHour: "0",
  priceMicrosPerHour: "0",
  operatorFeePpm: 0,
  rounding: "half-even",
};
const size = { cpuMilli: 1500, memoryBytes: 2 * 2 ** 30, diskBytes: 10 * 2 ** 30 };
const HOUR = 3600;

test.each<[string, Partial<Tariff>, number, [string, string, string]]>([
  ["nothing has a price", {}, HOUR, ["0", "0", "0"]],
  [
    "a core-hour costs 0.04",
    { priceMicrosPerCoreHour: "40000" },
    HOUR,
    ["60000", "60000", "60000"],
  ],
  ["for half an hour", { priceMicrosPerCoreHour: "40000" }, HOUR / 2, ["60000", "30000", "30000"]],
  ["memory", { priceMicrosPerMemoryGibHour: "10000" }, HOUR, ["20000", "20000", "20000"]],
  ["disk", { priceMicrosPerDiskGibHour: "1000" }, HOUR, ["10000", "10000", "10000"]],
  ["the flat part", { priceMicrosPerHour: "10000" }, 2 * HOUR, ["10000", "20000", "20000"]],
  [
    "a micro too much for a cent goes up to the next",
    { priceMicrosPerHour: "10001" },
    HOUR,
    ["10001", "10001", "20000"],
  ],
  [
    "each part is rounded up by itself",
    { priceMicrosPerHour: "1", priceMicrosPerMemoryGibHour: "1" },
    1,
    ["3", "2", "10000"],
  ],
  [
    "a currency without minor units",
    { priceMicrosPerHour: "1", minorUnitDigits: 0 },
    HOUR,
    ["1", "1", "1000000"],
  ],
  [
    "a currency that is paid in micro-units",
    { priceMicrosPerHour: "1", minorUnitDigits: 6 },
    HOUR,
    ["1", "1", "1"],
  ],
  ["no time at all", { priceMicrosPerHour: "10000" }, 0, ["10000", "0", "0"]],
])("%s", (_name, prices, seconds, [perHourMicros, fixedMicros, totalMicros]) => {
  expect(quote(size, "dedicated", seconds, { ...FREE, ...prices })).toEqual({
    perHourMicros,
    fixedMicros,
    meteredMaxMicros: "0",
    totalMicros,
  });
});

test("shared cpu is quoted by the most that can be used of it, and nothing of it is fixed", () => {
  const prices = { priceMicrosPerCoreHour: "40000", priceMicrosPerSharedCoreHour: "20000" };
  const tariff = { ...FREE, ...prices, priceMicrosPerMemoryGibHour: "10000" };
  expect(quote(size, "shared", 2 * HOUR, tariff)).toEqual({
    perHourMicros: "50000",
    fixedMicros: "40000",
    meteredMaxMicros: "60000",
    totalMicros: "100000",
  });
});

test("longer never costs less, and a quote has the shape of one", () => {
  const price = fc.bigInt({ min: 0n, max: 10n ** 12n }).map(String);
  const tariff = fc.record({
    priceMicrosPerCoreHour: price,
    priceMicrosPerSharedCoreHour: price,
    priceMicrosPerMemoryGibHour: price,
    priceMicrosPerDiskGibHour: price,
    priceMicrosPerHour: price,
    minorUnitDigits: fc.integer({ min: 0, max: 6 }),
  });
  const seconds = fc.nat({ max: 10 ** 9 });
  fc.assert(
    fc.property(tariff, seconds, seconds, (prices, shorter, more) => {
      const of = (length: number) =>
        quoteSchema.parse(quote(size, "shared", length, { ...FREE, ...prices }));
      const [short, long] = [of(shorter), of(shorter + more)];
      expect(BigInt(long.totalMicros)).toBeGreaterThanOrEqual(BigInt(short.totalMicros));
      expect(BigInt(short.totalMicros)).toBeGreaterThanOrEqual(BigInt(short.fixedMicros));
    }),
  );
});
