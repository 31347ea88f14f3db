import fc from "fast-check";
import { expect, test } from "vitest";
import { monthOf, monthPeriod, startOfDay } from "./day.ts";

test.each([
  ["2026-11-22", "UTC", "2026-11-22T00:00:00.000Z"],
  ["2026-11-22", "Europe/Berlin", "2026-11-21T23:00:00.000Z"],
  ["2026-07-01", "Europe/Berlin", "2026-06-30T22:00:00.000Z"],
  // Clocks in Santiago skip midnight that day.
  ["2026-09-06", "America/Santiago", "2026-09-06T04:00:00.000Z"],
])("%s in %s begins at %s", (day, zone, start) => {
  expect(startOfDay(day, zone)?.toISOString()).toBe(start);
});

test.each(["2026-02-30", "2026-13-01", "2026-11", "22.11.2026", "now", ""])(
  "%j is no day",
  (text) => expect(startOfDay(text, "UTC")).toBeNull(),
);

test("a month is half-open on the clocks of its zone, and holds the change of clocks", () => {
  const october = monthPeriod("2026-10", "Europe/Berlin");
  expect(october?.start.toISOString()).toBe("2026-09-30T22:00:00.000Z");
  expect(october?.end.toISOString()).toBe("2026-10-31T23:00:00.000Z");
  expect(monthPeriod("2026-12", "UTC")?.end.toISOString()).toBe("2027-01-01T00:00:00.000Z");
  expect(monthPeriod("2026-00", "UTC")).toBeNull();
});

test("every instant lies in the month that it is said to be in", () => {
  const zones = fc.constantFrom("UTC", "Europe/Berlin", "America/Santiago", "Pacific/Kiritimati");
  const instants = fc.date({
    min: new Date("2000-01-01"),
    max: new Date("2100-01-01"),
    noInvalidDate: true,
  });
  fc.assert(
    fc.property(zones, instants, (zone, at) => {
      const month = monthPeriod(monthOf(at, zone), zone);
      expect(month && month.start <= at && at < month.end).toBe(true);
    }),
  );
});
