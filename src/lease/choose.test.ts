import fc from "fast-check";
import { expect, test } from "vitest";
import { STANDBY_RESOURCES, STANDBY_STEP, standbySize } from "../host/lent-code.ts";
import type { Match } from "../market/match.ts";
import { addSizes, fitsWithin, SIZE_ZERO, subtractSizes } from "../unit/size.ts";
import { chooseTogether, sumOf } from "./choose.ts";
import { anyQuestion, decidingOf, GIB, lentCode, openingOf, SIZE } from "./opening.sample.ts";
import { type Deciding, decideOpening, type Opening, openingsAfter } from "./opening.ts";

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

/** Whole cores and blocks, beside at least one of the base. */
function checkStandby({ size, standby }: Match): void {
  for (const { resource, quantity } of standby) {
    expect(quantity % STANDBY_STEP[resource]).toBe(0);
    const name = STANDBY_RESOURCES[resource];
    const ofBase = size[name] - standbySize(standby)[name];
    expect(ofBase).toBeGreaterThanOrEqual(STANDBY_STEP[resource]);
  }
}

test("a partition is chosen once", () => {
  expect(chooseTogether(decidingOf({ count: 3 }), [openingOf()])).toHaveLength(1);
});

test("no more are chosen than all together may cost", () => {
  const wanted = { size: SIZE(1), count: 4, maxTotalMicros: "360000" };
  expect(chooseTogether(decidingOf(wanted), [carve(10)])).toHaveLength(3);
});

test("whatever is chosen matches beside those before it, fits its host, and costs what may be paid", () => {
  fc.assert(
    fc.property(anyQuestion, ({ deciding, opening }) => {
      const { requirement } = deciding;
      const chosen = chooseTogether(deciding, [opening]);
      expect(chosen.length).toBeLessThanOrEqual(requirement.count);
      expect(chosen.length > 0).toBe(decideOpening(deciding, opening).ok);
      const sum = chosen.reduce((total, { size }) => addSizes(total, size), NONE);
      const standby = standbySize(chosen.flatMap((match) => match.standby));
      expect(fitsWithin(subtractSizes(sum, standby), opening.host.base)).toBe(true);
      expect(fitsWithin(standby, opening.host.standby)).toBe(true);
      for (const match of chosen) checkStandby(match);
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

/** Every order of everything that can be taken: slow, and knows nothing of how it is chosen. */
function mostByBruteForce(deciding: Deciding, openings: readonly Opening[]): number {
  const { count, maxTotalMicros, maxPerHourMicros } = deciding.requirement;
  const most = (taken: readonly Match[], open: readonly Opening[]): number => {
    const payable =
      sumOf(taken, "totalMicros") <= BigInt(maxTotalMicros ?? 10n ** 18n) &&
      sumOf(taken, "perHourMicros") <= BigInt(maxPerHourMicros ?? 10n ** 18n);
    if (!payable) return -1;
    if (taken.length === count) return count;
    let best = taken.length;
    for (const opening of open) {
      const decision = decideOpening(deciding, opening);
      if (!decision.ok) continue;
      const { match } = decision;
      best = Math.max(best, most([...taken, match], openingsAfter(open, match)));
    }
    return best;
  };
  return most([], openings);
}

interface World {
  readonly hosts: readonly {
    readonly base: number;
    readonly named: readonly {
      readonly min: number;
      readonly standing: number;
      readonly memory: number;
      readonly price: number;
    }[];
    readonly carve: { readonly cores: number; readonly price: number } | null;
    /** Cores that its codes have at once, and for how many hours of one. */
    readonly lent: { readonly cores: number; readonly hours: number } | null;
  }[];
  readonly wanted: { readonly cores: number; readonly count: number };
  readonly most: number | null;
  readonly hourly: number | null;
}

const small = (max: number) => fc.integer({ min: 1, max });
const anyWorld: fc.Arbitrary<World> = fc.record({
  hosts: fc.array(
    fc.record({
      base: fc.integer({ min: 2, max: 8 }),
      named: fc.array(
        fc.record({ min: small(4), standing: fc.nat(3), memory: small(6), price: small(9) }),
        { maxLength: 4 },
      ),
      carve: fc.option(fc.record({ cores: small(6), price: small(9) })),
      lent: fc.option(fc.record({ cores: small(4), hours: small(6) })),
    }),
    { minLength: 1, maxLength: 2 },
  ),
  wanted: fc.record({ cores: small(3), count: fc.integer({ min: 2, max: 4 }) }),
  most: fc.option(small(30)),
  hourly: fc.option(small(30)),
});

/** Partitions whose minimums differ, and a carve, on hosts that have no room for all of them. */
function worldOf({ hosts, wanted, most, hourly }: World): [Deciding, Opening[]] {
  const openings = hosts.flatMap(({ base, named, carve: carved, lent: some }, at) => {
    const template = openingOf();
    const hostId = `host_01k000000000000000000${at}` as const;
    const lent = some ? [{ ...lentCode({ steps: some.cores, hours: some.hours }), hostId }] : [];
    const host = {
      ...template.host,
      hostId,
      base: SIZE(base, 12, 100),
      standby: standbySize(lent),
    };
    const held = named.map(({ standing }, index) => ({
      ...{ hostId, leaseId: null, carved: false, size: SIZE(standing, standing, 1) },
      standby: [],
      partitionId: `partition_01k00000000000000000${at}${index}` as const,
      period: { start: new Date(0), end: null },
    }));
    const priced = (price: number) => BigInt(price * 10_000);
    const all = named.map(({ min, standing, memory, price }, index) => ({
      ...openingOf({
        partition: {
          ...{ hostId, partitionId: held[index]?.partitionId ?? "partition_" },
          ...{ min: SIZE(min, memory, 0), standingSize: SIZE(standing, standing, 1) },
        },
        offer: { hostId, priceMicrosPerCoreHour: priced(price) },
        ...{ held, lent },
      }),
      host,
    }));
    if (carved === null) return all;
    const max = SIZE(carved.cores, 32, 100);
    const carving = openingOf({
      partition: {
        ...{ hostId, partitionId: `partition_01k0000000000000000c${at}0` },
        ...{ standingSize: NONE, min: SIZE(1, 0, 0), max },
      },
      offer: {
        ...{ hostId, partitionId: null, carve: { cpuMode: "dedicated", max } },
        priceMicrosPerCoreHour: priced(carved.price),
      },
      ...{ held, lent },
    });
    return [...all, { ...carving, host }];
  });
  const limits = {
    ...(most === null ? {} : { maxTotalMicros: String(most * 10_000) }),
    ...(hourly === null ? {} : { maxPerHourMicros: String(hourly * 10_000) }),
  };
  const size = { ...SIZE(wanted.cores), memoryBytes: GIB };
  return [decidingOf({ size, count: wanted.count, ...limits }), openings];
}

test("two of middle size and price are found where the cheapest has no room and the smallest no money", () => {
  const named = (min: number, price: number) => ({ min, standing: 0, memory: 1, price });
  const host = { base: 4, named: [named(4, 1), named(1, 9), named(2, 3), named(2, 3)] };
  const [deciding, openings] = worldOf({
    ...{ hosts: [{ ...host, carve: null, lent: null }], wanted: { cores: 1, count: 2 } },
    ...{ most: 16, hourly: null },
  });
  expect(chooseTogether(deciding, openings)).toHaveLength(2);
});

test("who comes while another's standing size is in the way takes standby, and may be the one to come last", () => {
  const named = (standing: number) => ({ min: 2, standing, memory: 1, price: 1 });
  const host = { base: 4, named: [named(3), named(2)], carve: { cores: 1, price: 1 } };
  const [deciding, openings] = worldOf({
    ...{ hosts: [{ ...host, lent: { cores: 1, hours: 2 } }], wanted: { cores: 1, count: 3 } },
    ...{ most: null, hourly: null },
  });
  expect(chooseTogether(deciding, openings)).toHaveLength(3);
});

test("as many are chosen as any combination has, partitions and carves and prices mixed", () => {
  fc.assert(
    fc.property(anyWorld, (world) => {
      const [deciding, openings] = worldOf(world);
      const chosen = chooseTogether(deciding, openings);
      expect(chosen).toHaveLength(mostByBruteForce(deciding, openings));
      const sum = sumOf(chosen, "totalMicros");
      expect(sum).toBeLessThanOrEqual(BigInt(deciding.requirement.maxTotalMicros ?? sum));
    }),
    { numRuns: 1500 },
  );
});
