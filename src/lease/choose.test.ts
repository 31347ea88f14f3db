import fc from "fast-check";
import { expect, test } from "vitest";
import { addSizes, fitsWithin, SIZE_ZERO } from "../unit/size.ts";
import { chooseTogether, sumOf } from "./choose.ts";
import { anyOpening, anyRequirement, decidingOf, openingOf, SIZE } from "./opening.sample.ts";
import { decideOpening, openingsAfter } from "./opening.ts";

const NONE = SIZE_ZERO;
const carve = (cores: number) =>
  openingOf({
    offer: { carve: { cpuMode: "dedicated", max: SIZE(cores, 32, 100) }, partitionId: null },
    partition: { standingSize: NONE, min: SIZE(1, 0, 0), max: SIZE(cores, 32, 100) },
  });

test("of what is carved there are as many as its limit has room for, each another partition", () => {
  const chosen = chooseTogether(decidingOf({ size: SIZE(3), count: 5 }), [carve(10)]);
  expect(chosen).toHaveLength(3);
  const ids = chosen.map(({ candidate }) => candidate.partition.partitionId);
  const names = chosen.map(({ candidate }) => candidate.partition.name);
  expect([new Set(ids).size, new Set(names).size]).toEqual([3, 3]);
});

test("a partition is chosen once", () => {
  expect(chooseTogether(decidingOf({ count: 3 }), [openingOf()])).toHaveLength(1);
});

test("no more are chosen than all together may cost", () => {
  const wanted = { size: SIZE(1), count: 4, maxTotalMicros: "360000" };
  expect(chooseTogether(decidingOf(wanted), [carve(10)])).toHaveLength(3);
});

test("whatever is chosen matches beside those before it, fits its host, and costs what may be paid", () => {
  fc.assert(
    fc.property(anyRequirement, anyOpening, (wanted, opening) => {
      const deciding = decidingOf(wanted);
      const { requirement } = deciding;
      const chosen = chooseTogether(deciding, [opening]);
      expect(chosen.length).toBeLessThanOrEqual(requirement.count);
      expect(chosen.length > 0).toBe(decideOpening(deciding, opening).ok);
      const sum = chosen.reduce((total, { size }) => addSizes(total, size), NONE);
      expect(fitsWithin(sum, opening.host.base)).toBe(true);
      if (opening.offer.carve) expect(fitsWithin(sum, opening.offer.carve.max)).toBe(true);
      const most = requirement.maxTotalMicros;
      if (most !== undefined) {
        expect(sumOf(chosen, "totalMicros")).toBeLessThanOrEqual(BigInt(most));
      }
      let open = [opening] as readonly (typeof opening)[];
      for (const match of chosen) open = openingsAfter(open, match);
      const next = open[0] && decideOpening(deciding, open[0]);
      // Fewer than were wanted: because one more does not match, or is too dear.
      if (chosen.length < requirement.count && most === undefined) expect(next?.ok).toBe(false);
    }),
    { numRuns: 300 },
  );
});
