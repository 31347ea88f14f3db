import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DAYS } from "../unit/week.ts";
import {
  isWithinWindows,
  nextWindowStart,
  type Window,
  windowEnd,
  windowSchema,
} from "./window.ts";

const WEEKDAYS: Window = { days: ["mon", "tue", "wed", "thu", "fri"], from: "08:00", to: "20:00" };
const berlin = (...windows: Window[]) => ({ windows, timeZone: "Europe/Berlin" });
const within = (weekly: Parameters<typeof isWithinWindows>[0], start: string, end: string) =>
  isWithinWindows(weekly, { start: new Date(start), end: new Date(end) });
const HOUR_MS = 3_600_000;

describe("a lease lies in windows", () => {
  // 2027-03-26 is a Friday; Berlin is one hour ahead of UTC until the 28th, then two.
  test.each<[string, string, string, boolean]>([
    ["in the middle", "2027-03-26T10:00Z", "2027-03-26T12:00Z", true],
    ["from edge to edge", "2027-03-26T07:00Z", "2027-03-26T19:00Z", true],
    ["a second too long", "2027-03-26T07:00Z", "2027-03-26T19:00:01Z", false],
    ["a second too early", "2027-03-26T06:59:59Z", "2027-03-26T09:00Z", false],
    ["on another day", "2027-03-27T10:00Z", "2027-03-27T12:00Z", false],
    ["over the night between", "2027-03-25T18:00Z", "2027-03-26T09:00Z", false],
    [
      "an hour earlier by UTC once clocks have gone on",
      "2027-03-29T06:00Z",
      "2027-03-29T18:00Z",
      true,
    ],
    ["and not at the winter's hour", "2027-03-29T06:00Z", "2027-03-29T19:00Z", false],
  ])("%s", (_name, start, end, expected) => {
    expect(within(berlin(WEEKDAYS), start, end)).toBe(expected);
  });

  test("windows until and from midnight are one, over the week's end too", () => {
    const night = berlin(
      { days: ["sun"], from: "22:00", to: "24:00" },
      { days: ["mon"], from: "00:00", to: "06:00" },
    );
    expect(within(night, "2027-03-21T21:00Z", "2027-03-22T05:00Z")).toBe(true);
    expect(within(night, "2027-03-21T21:00Z", "2027-03-22T05:01Z")).toBe(false);
    // The night in which the clocks go on is an hour shorter, and that of autumn an hour longer.
    const saturday = berlin(
      { days: ["sat"], from: "22:00", to: "24:00" },
      { days: ["sun"], from: "00:00", to: "06:00" },
    );
    expect(within(saturday, "2027-03-27T21:00Z", "2027-03-28T04:00Z")).toBe(true);
    expect(within(saturday, "2027-03-27T21:00Z", "2027-03-28T05:00Z")).toBe(false);
    expect(within(saturday, "2027-10-30T20:00Z", "2027-10-31T05:00Z")).toBe(true);
  });

  test("a window whose hour the clocks leave out is as much later", () => {
    const gap = berlin({ days: ["sun"], from: "02:15", to: "02:45" });
    expect(within(gap, "2027-03-28T01:15Z", "2027-03-28T01:45Z")).toBe(true);
    expect(within(gap, "2027-03-28T00:15Z", "2027-03-28T00:45Z")).toBe(false);
  });

  test("windows that touch or overlap within a day join", () => {
    const days = ["fri"] as const;
    const weekly = berlin(
      { days: [...days], from: "12:00", to: "14:00" },
      { days: [...days], from: "08:00", to: "12:00" },
      { days: [...days], from: "13:00", to: "18:00" },
    );
    expect(within(weekly, "2027-03-26T07:00Z", "2027-03-26T17:00Z")).toBe(true);
  });

  test("no windows, or a whole week of them, are always", () => {
    const year = ["2027-01-01T00:00Z", "2028-01-01T00:00Z"] as const;
    expect(within(berlin(), ...year)).toBe(true);
    const halves = berlin(
      { days: [...DAYS], from: "00:00", to: "12:00" },
      { days: [...DAYS], from: "12:00", to: "24:00" },
    );
    expect(within(halves, ...year)).toBe(true);
  });
});

test("a window that ends before it begins, or at 24:30, is refused", () => {
  const days = ["mon"];
  expect(windowSchema.safeParse({ days, from: "20:00", to: "08:00" }).success).toBe(false);
  expect(windowSchema.safeParse({ days, from: "08:00", to: "08:00" }).success).toBe(false);
  expect(windowSchema.safeParse({ days, from: "08:00", to: "24:30" }).success).toBe(false);
  expect(windowSchema.safeParse({ days, from: "8:00", to: "20:00" }).success).toBe(false);
  expect(windowSchema.safeParse({ days, from: "00:00", to: "24:00" }).success).toBe(true);
});

test("the next start is the first at which the whole lease fits, or none", () => {
  const friday = new Date("2027-03-26T18:30:00Z");
  const next = (hours: number) => nextWindowStart(berlin(WEEKDAYS), friday, hours * HOUR_MS);
  expect(next(0.5)).toEqual(friday);
  expect(next(1)).toEqual(new Date("2027-03-29T06:00:00Z"));
  expect(next(12)).toEqual(new Date("2027-03-29T06:00:00Z"));
  expect(next(12.5)).toBeNull();
});

test("a lease can go on until its window ends, those that touch being one", () => {
  const night = berlin(
    { days: ["sun"], from: "22:00", to: "24:00" },
    { days: ["mon"], from: "00:00", to: "06:00" },
  );
  const end = (start: string) => windowEnd(night, new Date(start))?.toISOString() ?? null;
  expect(end("2027-03-21T21:30Z")).toBe("2027-03-22T05:00:00.000Z");
  expect(end("2027-03-22T05:00Z")).toBe("2027-03-22T05:00:00.000Z");
  expect(end("2027-03-23T12:00Z")).toBe("2027-03-23T12:00:00.000Z");
  const always = berlin({ days: [...DAYS], from: "00:00", to: "24:00" });
  expect(windowEnd(always, new Date())).toBeNull();
  expect(windowEnd(berlin(), new Date())).toBeNull();
});

test("whatever the windows, no earlier minute would do than the next start", () => {
  const minute = fc.integer({ min: 0, max: 1440 });
  const text = (at: number) =>
    `${String(Math.floor(at / 60)).padStart(2, "0")}:${String(at % 60).padStart(2, "0")}`;
  const window = fc
    .record({ days: fc.subarray([...DAYS], { minLength: 1 }), a: minute, b: minute })
    .filter(({ a, b }) => a !== b)
    .map(({ days, a, b }) => ({ days, from: text(Math.min(a, b)), to: text(Math.max(a, b)) }));
  const zone = fc.constantFrom("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe");
  const from = fc
    .integer({ min: 0, max: 365 * 1440 })
    .map((m) => new Date(Date.parse("2027-01-01T00:00Z") + m * 60_000));
  fc.assert(
    fc.property(
      fc.array(window, { minLength: 1, maxLength: 4 }),
      zone,
      from,
      (windows, timeZone, at) => {
        const weekly = { windows: windows.map((w) => windowSchema.parse(w)), timeZone };
        const start = nextWindowStart(weekly, at, HOUR_MS);
        if (start === null) return;
        expect(isWithinWindows(weekly, { start, end: new Date(+start + HOUR_MS) })).toBe(true);
        for (const minutes of [1, 7, 61, 600]) {
          const earlier = new Date(+start - minutes * 60_000);
          if (earlier < at) continue;
          const period = { start: earlier, end: new Date(+earlier + HOUR_MS) };
          expect(isWithinWindows(weekly, period)).toBe(false);
        }
      },
    ),
    { numRuns: 60 },
  );
});
