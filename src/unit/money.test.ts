import fc from "fast-check";
import { expect, test } from "vitest";
import {
  divideHalfEven,
  divideUp,
  formatMoneyMicros,
  parseMoneyMicros,
  parsePriceMicrosPerHour,
} from "./money.ts";
import { InputError } from "./quantity.ts";

test.each<[string, bigint]>([
  ["0", 0n],
  ["1", 1_000_000n],
  ["0.10", 100_000n],
  [" 12.345678 ", 12_345_678n],
  ["0.000001", 1n],
  ["007", 7_000_000n],
  ["999999999999.999999", 999_999_999_999_999_999n],
])("the amount %s is read exactly", (text, micros) => {
  expect(parseMoneyMicros(text)).toBe(micros);
});

test.each([
  "",
  ".5",
  "1.",
  "1.1234567",
  "-1",
  "+1",
  "1e3",
  "1,5",
  "1 000",
  "0x1",
  "1234567890123",
  "١",
])("%j is not an amount of money", (text) => {
  expect(() => parseMoneyMicros(text)).toThrow(InputError);
});

test.each<[string, bigint]>([
  ["0.10/h", 100_000n],
  ["0.10", 100_000n],
  ["0.10 / hour", 100_000n],
  ["0.10 /h", 100_000n],
  ["0.10/hour", 100_000n],
])("the price %s", (text, micros) => {
  expect(parsePriceMicrosPerHour(text)).toBe(micros);
});

test.each(["", "/h", "0.10/d", "0.10/hours", "0.10 per hour", "0.10/h/h"])(
  "%j is not a price per hour",
  (text) => {
    expect(() => parsePriceMicrosPerHour(text)).toThrow(InputError);
  },
);

test.each<[bigint, string]>([
  [0n, "0.00"],
  [1n, "0.000001"],
  [100_000n, "0.10"],
  [123_000n, "0.123"],
  [1_000_000n, "1.00"],
  [-3_500_000n, "-3.50"],
  [-4n, "-0.000004"],
  [10n ** 24n, "1000000000000000000.00"],
])("%d micros are shown as %s", (micros, text) => {
  expect(formatMoneyMicros(micros)).toBe(text);
});

test("what is shown reads back as the same amount", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 10n ** 18n - 1n }), (micros) => {
      expect(parseMoneyMicros(formatMoneyMicros(micros))).toBe(micros);
    }),
  );
});

test.each<[bigint, bigint, bigint]>([
  [0n, 1n, 0n],
  [1n, 2n, 0n],
  [3n, 2n, 2n],
  [5n, 2n, 2n],
  [7n, 2n, 4n],
  [-1n, 2n, 0n],
  [-3n, 2n, -2n],
  [-5n, 2n, -2n],
  [4n, 3n, 1n],
  [5n, 3n, 2n],
  [-4n, 3n, -1n],
  [-5n, 3n, -2n],
  [25n, 10n, 2n],
  [35n, 10n, 4n],
])("%d / %d rounds to %d", (numerator, denominator, rounded) => {
  expect(divideHalfEven(numerator, denominator)).toBe(rounded);
});

const anyAmount = fc.bigInt({ min: -(10n ** 40n), max: 10n ** 40n });
const divisor = fc.oneof(fc.bigInt({ min: 1n, max: 12n }), fc.bigInt({ min: 1n, max: 10n ** 20n }));

test("half-even is never off by more than a half, and a half goes to the even neighbour", () => {
  fc.assert(
    fc.property(anyAmount, divisor, (numerator, denominator) => {
      const rounded = divideHalfEven(numerator, denominator);
      const offTwice = (numerator - rounded * denominator) * 2n;
      expect(offTwice <= denominator && -offTwice <= denominator).toBe(true);
      if (offTwice === denominator || -offTwice === denominator) expect(rounded % 2n).toBe(0n);
    }),
  );
});

test("half-even does not drift: what is rounded of an amount and of its negative cancel", () => {
  fc.assert(
    fc.property(anyAmount, divisor, (numerator, denominator) => {
      expect(divideHalfEven(numerator, denominator) + divideHalfEven(-numerator, denominator)).toBe(
        0n,
      );
    }),
  );
});

test("rounding up covers the amount, by less than one", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 10n ** 40n }), divisor, (numerator, denominator) => {
      const over = divideUp(numerator, denominator) * denominator - numerator;
      expect(over >= 0n && over < denominator).toBe(true);
    }),
  );
});

test("a denominator of zero or below, and rounding up below zero, are refused", () => {
  expect(() => divideHalfEven(1n, 0n)).toThrow(RangeError);
  expect(() => divideHalfEven(1n, -1n)).toThrow(RangeError);
  expect(() => divideUp(1n, 0n)).toThrow(RangeError);
  expect(() => divideUp(-1n, 1n)).toThrow(RangeError);
});
