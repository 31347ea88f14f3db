import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { RESOURCES } from "../unit/size.ts";
import { type Counter, counterOffer } from "./counter-offer.ts";
import {
  anyQuestion,
  decidingOf,
  GIB,
  HOUR_MS,
  heldFor,
  lentCode,
  NOW,
  openingOf,
  SIZE,
} from "./opening.sample.ts";
import { type Deciding, decideOpening, type Opening } from "./opening.ts";
import { TURNAROUND_SECONDS } from "./reservation-store.ts";

function counterTo(deciding: Deciding, opening: Opening): Counter["offer"] | null {
  const decision = decideOpening(deciding, opening);
  if (decision.ok) throw new Error("it matches");
  return counterOffer(deciding, opening, decision.reasons)?.offer ?? null;
}
const at = (hours: number) => new Date(NOW.getTime() + hours * HOUR_MS);

describe("the counter-offer", () => {
  test.each<[string, Deciding, Opening, Counter["offer"] | null]>([
    [
      "of a partition that is too small is its maximum",
      decidingOf({ size: SIZE(12) }),
      openingOf(),
      { kind: "size", size: SIZE(8) },
    ],
    [
      "of a host with less left is what is left, in whole cores",
      decidingOf({ size: SIZE(8) }),
      openingOf({ held: [heldFor({ ...SIZE(9), cpuMilli: 9500 }, -1, 9)] }),
      { kind: "size", size: SIZE(6) },
    ],
    [
      "cuts only what must be cut",
      decidingOf({ size: SIZE(2, 20) }),
      openingOf(),
      { kind: "size", size: SIZE(2, 16) },
    ],
    [
      "gives an operating system the memory that it needs",
      decidingOf({ size: { ...SIZE(1), memoryBytes: 1 } }),
      openingOf(),
      { kind: "size", size: { ...SIZE(1), memoryBytes: GIB / 2 } },
    ],
    [
      "to a price that is too high is as many cores as are cheap enough",
      decidingOf({ size: SIZE(8), maxPerHourMicros: "350000" }),
      openingOf(),
      { kind: "size", size: SIZE(3) },
    ],
    [
      "of one that is taken is the earliest time at which it is free",
      decidingOf({ durationSeconds: 4 * 3600 }),
      openingOf({ held: [heldFor(SIZE(2), -1, 2, true), heldFor(SIZE(2), 3, 1, true)] }),
      { kind: "start", start: at(4) },
    ],
    [
      "fits a lease between two others",
      decidingOf({ durationSeconds: 3600 }),
      openingOf({ held: [heldFor(SIZE(2), -1, 2, true), heldFor(SIZE(2), 3, 1, true)] }),
      { kind: "start", start: at(1) },
    ],
    [
      "waits for what others have when that is nearer than half of it",
      decidingOf({ size: SIZE(8), durationSeconds: 10 * 3600 }),
      openingOf({ held: [heldFor(SIZE(12), -1, 2)] }),
      { kind: "start", start: at(1) },
    ],
    [
      "takes half of it when that is nearer than the wait",
      decidingOf({ size: SIZE(8) }),
      openingOf({ held: [heldFor(SIZE(12), -1, 2)] }),
      { kind: "size", size: SIZE(4) },
    ],
    [
      "waits for a window after the lease in the way",
      decidingOf(),
      openingOf({
        held: [heldFor(SIZE(2), -1, 20, true)],
        offer: { windows: [{ days: ["tue"], from: "10:00", to: "20:00" }] },
      }),
      { kind: "start", start: new Date("2027-01-05T09:00:00Z") },
    ],
    [
      "of one that is lent for less is the longest lease",
      decidingOf({ durationSeconds: 5 * 3600 }),
      openingOf({ offer: { leaseSecondsMax: 3 * 3600 } }),
      { kind: "duration", durationSeconds: 3 * 3600 },
    ],
    [
      "ends with the window when that is nearer than the wait for the next one",
      decidingOf({ durationSeconds: 5 * 3600 }),
      openingOf({ offer: { windows: [{ days: ["mon", "tue"], from: "08:00", to: "12:00" }] } }),
      { kind: "duration", durationSeconds: 3 * 3600 },
    ],
    [
      "ends before the next lease, with the turnaround between them",
      decidingOf({ durationSeconds: 5 * 3600 }),
      openingOf({ held: [heldFor(SIZE(2), 4, 24, true)] }),
      { kind: "duration", durationSeconds: 4 * 3600 - TURNAROUND_SECONDS },
    ],
    [
      "waits when that is nearer than a lease that is shorter",
      decidingOf({ durationSeconds: 50 * 3600 }),
      openingOf({ held: [heldFor(SIZE(2), 1, 1, true)] }),
      { kind: "start", start: at(2) },
    ],
    [
      "is not shorter than the offer's shortest lease",
      decidingOf({ durationSeconds: 5 * 3600 }),
      openingOf({
        offer: {
          leaseSecondsMin: 4 * 3600,
          windows: [{ days: ["mon"], from: "08:00", to: "12:00" }],
        },
      }),
      null,
    ],
    [
      "counts the cores that lent codes have, as long as their resource-time lasts",
      decidingOf({ size: SIZE(8), durationSeconds: 10 * 3600 - TURNAROUND_SECONDS }),
      openingOf({ held: [heldFor(SIZE(14), -1, 1000)], lent: [lentCode({ hours: 30 })] }),
      { kind: "size", size: SIZE(5) },
    ],
    [
      "is as long as the resource-time lasts when that is nearer",
      decidingOf({ size: SIZE(3), durationSeconds: 4 * 3600 }),
      openingOf({ held: [heldFor(SIZE(14), -1, 1000)], lent: [lentCode({ hours: 3 })] }),
      { kind: "duration", durationSeconds: 3 * 3600 - TURNAROUND_SECONDS },
    ],
    [
      "waits for a code to become valid",
      decidingOf({ size: SIZE(3), durationSeconds: 4 * 3600 }),
      openingOf({ held: [heldFor(SIZE(14), -1, 1000)], lent: [lentCode({ valid: [1, 90] })] }),
      { kind: "start", start: at(1) },
    ],
    [
      "is none of standby where no core of the base is left beside it",
      decidingOf({ size: SIZE(1) }),
      openingOf({
        held: [{ ...heldFor(SIZE(16), -1, 2), period: { start: NOW, end: null } }],
        lent: [lentCode()],
      }),
      null,
    ],
    [
      "is none where neither size nor time is the matter",
      decidingOf({ labels: { region: "eu" }, size: SIZE(12) }),
      openingOf(),
      null,
    ],
    [
      "is none where not even one core is left and nothing ends",
      decidingOf(),
      openingOf({ held: [{ ...heldFor(SIZE(16), -1, 2), period: { start: NOW, end: null } }] }),
      null,
    ],
  ])("%s", (_name, deciding, opening, expected) => {
    expect(counterTo(deciding, opening)).toEqual(expected);
  });

  const mismatched = anyQuestion.filter(
    ({ deciding, opening }) => !decideOpening(deciding, opening).ok,
  );

  test("asked for, matches, whatever was wanted and whatever is booked", () => {
    let countered = 0;
    fc.assert(
      fc.property(mismatched, ({ deciding, opening }) => {
        const counter = counterTo(deciding, opening);
        if (counter === null) return;
        countered++;
        const { requirement } = deciding;
        const { kind: _kind, ...change } = counter;
        const changed: typeof requirement = {
          ...requirement,
          ...("start" in change ? { start: change.start.toISOString() } : change),
        };
        expect(decideOpening({ ...deciding, requirement: changed }, opening).ok).toBe(true);
      }),
      { numRuns: 400 },
    );
    expect(countered).toBeGreaterThan(50);
  });

  test("is the nearest: no earlier start matches, no longer lease, and no size with any resource closer", () => {
    fc.assert(
      fc.property(mismatched, fc.integer({ min: 1, max: 100 }), ({ deciding, opening }, part) => {
        const counter = counterTo(deciding, opening);
        const { requirement, now } = deciding;
        if (counter?.kind === "start") {
          const from = requirement.start === null ? now : new Date(requirement.start);
          const wait = counter.start.getTime() - from.getTime();
          const earlier = new Date(from.getTime() + Math.floor(((wait - 1) * part) / 100));
          const sooner = { ...requirement, start: earlier.toISOString() };
          expect(decideOpening({ ...deciding, requirement: sooner }, opening).ok).toBe(false);
        }
        if (counter?.kind === "duration") {
          const missing = requirement.durationSeconds - counter.durationSeconds;
          const durationSeconds = counter.durationSeconds + Math.ceil((missing * part) / 100);
          const longer = { ...requirement, durationSeconds };
          expect(decideOpening({ ...deciding, requirement: longer }, opening).ok).toBe(false);
        }
        if (counter?.kind !== "size") return;
        for (const resource of RESOURCES) {
          const [have, want] = [counter.size[resource], requirement.size[resource]];
          if (have === want) continue;
          const step = resource === "cpuMilli" ? 1000 : 1;
          const closer = { ...counter.size, [resource]: have + Math.sign(want - have) * step };
          const nearer = { ...requirement, size: closer };
          expect(decideOpening({ ...deciding, requirement: nearer }, opening).ok).toBe(false);
        }
      }),
      { numRuns: 400 },
    );
  });

  test("where only its end is in the way, is the longest lease that matches, to the second", () => {
    const hours = fc.integer({ min: 1, max: 40 });
    fc.assert(
      fc.property(hours, hours, hours, (free, more, longest) => {
        const deciding = decidingOf({ durationSeconds: (free + more) * 3600 });
        const opening = openingOf({
          held: [heldFor(SIZE(2), free, 100, true)],
          offer: { leaseSecondsMax: longest * 3600 },
        });
        const counter = counterTo(deciding, opening);
        const most = Math.min(longest * 3600, free * 3600 - TURNAROUND_SECONDS);
        // A lease that is no longer than the longest may wait instead, where that is nearer.
        if (counter?.kind === "start") expect(free + more).toBeLessThanOrEqual(longest);
        else expect(counter).toEqual({ kind: "duration", durationSeconds: most });
      }),
    );
  });
});
