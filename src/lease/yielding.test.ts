import fc from "fast-check";
import { expect, test } from "vitest";
import { fitsWithin } from "../unit/size.ts";
import { peakReserved } from "./capacity.ts";
import { type Stretch, yieldingTo } from "./yielding.ts";

const at = (hour: number) => new Date(Date.UTC(2027, 0, 1, hour));
const cores = (count: number) => ({ cpuMilli: count * 1000, memoryBytes: count, diskBytes: 0 });
const held = (count: number, from: number, to: number): Stretch => ({
  size: cores(count),
  period: { start: at(from), end: at(to) },
});
const standing = { size: cores(10), cpuMode: "dedicated" } as const;
const forever = { start: at(0), end: null };

test("what nobody else has is the partition's for ever", () => {
  expect(yieldingTo([], standing, cores(10), forever)).toEqual([
    { size: cores(10), period: forever },
  ]);
});

test("while others have part of it the partition has the rest, and all of it afterwards", () => {
  expect(yieldingTo([held(8, -1, 2), held(1, 1, 2)], standing, cores(10), forever)).toEqual([
    { size: cores(2), period: { start: at(0), end: at(1) } },
    { size: cores(1), period: { start: at(1), end: at(2) } },
    { size: cores(10), period: { start: at(2), end: null } },
  ]);
});

test("where nothing is left it has nothing, and of a dedicated core there is no fraction", () => {
  const half = { size: { ...cores(8), cpuMilli: 8500 }, period: { start: at(0), end: at(2) } };
  const gap = { start: at(0), end: at(3) };
  expect(yieldingTo([half, held(1, 1, 2)], standing, cores(10), gap)).toEqual([
    { size: { ...cores(2), cpuMilli: 1000 }, period: { start: at(0), end: at(1) } },
    { size: cores(10), period: { start: at(2), end: at(3) } },
  ]);
});

test("whatever the others have, it fits beside them at every instant", () => {
  const other = fc
    .record({
      count: fc.integer({ min: 0, max: 5 }),
      from: fc.nat(20),
      hours: fc.integer({ min: 1, max: 9 }),
    })
    .map(({ count, from, hours }) => held(count, from, from + hours));
  fc.assert(
    fc.property(fc.array(other, { maxLength: 8 }), (others) => {
      fc.pre(fitsWithin(peakReserved(others, forever), cores(12)));
      const stretches = yieldingTo(others, standing, cores(12), { start: at(3), end: null });
      const peak = peakReserved([...others, ...stretches], { start: at(3), end: null });
      expect(fitsWithin(peak, cores(12))).toBe(true);
      expect(stretches.at(-1)?.size).toEqual(cores(10));
    }),
  );
});
