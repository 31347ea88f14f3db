import { readdirSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { expect, test } from "vitest";
import { divideHalfEven, divideUp } from "../../unit/money.ts";
import { divide, multiply, rational, roundDown, roundHalfEven, roundUp } from "./rational.ts";

test("the verifier imports shapes, the envelope and units; nothing that rates, bills or chains", () => {
  const here = new URL(".", import.meta.url);
  const files = readdirSync(here).filter((name) => /^[a-z-]+\.ts$/.test(name));
  expect(files.length).toBeGreaterThan(5);
  const imports = files.flatMap((name) => {
    const text = readFileSync(new URL(name, here), "utf8");
    return [...text.matchAll(/from "([^"]+)"/g)].map(([, source]) => source);
  });
  expect([...new Set(imports)].filter((source) => !source?.startsWith("./")).sort()).toEqual([
    "../../enablement/grant.ts",
    "../../market/tariff.ts",
    "../../meter/cause.ts",
    "../../meter/record.ts",
    "../../partition/signed.ts",
    "../../signature/envelope.ts",
    "../../signature/key.ts",
    "../../signature/type.ts",
    "../../unit/canonical.ts",
    "../../unit/month.ts",
    "../../unit/schema.ts",
    "../../unit/size.ts",
    "../any-bill.ts",
    "../bill.ts",
    "../export.ts",
    "zod",
  ]);
});

const over = fc.bigInt({ min: 0n, max: 10n ** 40n });
const under = fc.oneof(fc.bigInt({ min: 1n, max: 12n }), fc.bigInt({ min: 1n, max: 10n ** 20n }));

test("that of capacity, too: neither the agent's meter nor the provider's rating", () => {
  const here = new URL("./capacity/", import.meta.url);
  const files = readdirSync(here).filter((name) => !/\.(test|sample)\.ts$/.test(name));
  expect(files.length).toBeGreaterThan(4);
  const imports = files.flatMap((name) => {
    const text = readFileSync(new URL(name, here), "utf8");
    return [...text.matchAll(/from "([^"]+)"/g)].map(([, source]) => source);
  });
  expect([...new Set(imports)].filter((source) => source?.startsWith("../../")).sort()).toEqual([
    "../../../enablement/capacity/act.ts",
    "../../../enablement/capacity/code.ts",
    "../../../enablement/capacity/terms.ts",
    "../../../meter/record.ts",
    "../../../signature/key.ts",
    "../../../unit/canonical.ts",
    "../../../unit/month.ts",
    "../../capacity/bill.ts",
    "../../export.ts",
  ]);
});

test("its rounding, written another way, agrees with the biller's", () => {
  fc.assert(
    fc.property(over, under, (a, b) => {
      expect(roundHalfEven(rational(a, b))).toBe(divideHalfEven(a, b));
      expect(roundUp(rational(a, b))).toBe(divideUp(a, b));
      expect(roundDown(rational(a, b))).toBe(a / b);
    }),
  );
});

test("multiplying undoes dividing, exactly", () => {
  fc.assert(
    fc.property(over, under, under, (a, b, c) => {
      const there = multiply(divide(rational(a, b), rational(c)), rational(c));
      expect(there.over * b).toBe(a * there.under);
    }),
  );
});

test("a fraction below zero, or over zero, is refused", () => {
  expect(() => rational(-1n)).toThrow(RangeError);
  expect(() => rational(1n, 0n)).toThrow(RangeError);
  expect(() => divide(rational(1n), rational(0n))).toThrow(RangeError);
});
