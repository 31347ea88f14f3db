import fc from "fast-check";
import { expect, test } from "vitest";
import { addSizes, fitsWithin, SIZE_ZERO, sizesEqual, subtractSizes } from "./size.ts";

const size = fc.record({
  cpuMilli: fc.nat({ max: 10 }),
  memoryBytes: fc.nat({ max: 10 }),
  diskBytes: fc.nat({ max: 10 }),
});

test("subtracting undoes adding, and zero changes nothing", () => {
  fc.assert(
    fc.property(size, size, (a, b) => {
      expect(sizesEqual(subtractSizes(addSizes(a, b), b), a)).toBe(true);
      expect(sizesEqual(addSizes(a, SIZE_ZERO), a)).toBe(true);
    }),
  );
});

test("one size fits within another when nothing is left below zero", () => {
  fc.assert(
    fc.property(size, size, (inner, outer) => {
      const left = Object.values(subtractSizes(outer, inner));
      expect(fitsWithin(inner, outer)).toBe(left.every((amount) => amount >= 0));
    }),
  );
});

test("two sizes fit within each other only when they are equal", () => {
  fc.assert(
    fc.property(size, size, (a, b) => {
      expect(fitsWithin(a, b) && fitsWithin(b, a)).toBe(sizesEqual(a, b));
    }),
  );
});
