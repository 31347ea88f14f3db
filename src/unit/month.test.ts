import fc from "fast-check";
import { expect, test } from "vitest";
import { isMonthEdgeBetween, nextMonthEdge } from "./month.ts";

const edge = (at: string, zone: string) => nextMonthEdge(new Date(at), zone).toISOString();

test.each([
  ["a winter month", "2027-01-31T08:00:00Z", "Europe/Berlin", "2027-01-31T23:00:00.000Z"],
  [
    "a month that begins in winter and ends in summer",
    "2027-03-15T00:00:00Z",
    "Europe/Berlin",
    "2027-03-31T22:00:00.000Z",
  ],
  ["the month after it", "2027-03-31T22:00:00Z", "Europe/Berlin", "2027-04-30T22:00:00.000Z"],
  [
    "a month that begins in summer and ends in winter",
    "2027-10-01T00:00:00Z",
    "Europe/Berlin",
    "2027-10-31T23:00:00.000Z",
  ],
  ["the last moment", "2027-09-30T21:59:59.999Z", "Europe/Berlin", "2027-09-30T22:00:00.000Z"],
  [
    "the year's end, far east",
    "2027-12-31T09:00:00Z",
    "Pacific/Kiritimati",
    "2027-12-31T10:00:00.000Z",
  ],
  [
    "the year's end, far west",
    "2028-01-01T10:00:00Z",
    "Pacific/Pago_Pago",
    "2028-01-01T11:00:00.000Z",
  ],
  [
    "a zone with three quarters of an hour",
    "2027-02-01T00:00:00Z",
    "Asia/Kathmandu",
    "2027-02-28T18:15:00.000Z",
  ],
  // Clocks went from 00:00 to 01:00 on 1 October 2006: the first instant was 01:00 local.
  [
    "a midnight that was left out",
    "2006-09-10T00:00:00Z",
    "Brazil/West",
    "2006-10-01T04:00:00.000Z",
  ],
])("%s ends at its edge", (_name, at, zone, expected) => {
  expect(edge(at, zone)).toBe(expected);
});

test("an edge is reached by the instant itself, and not by the one before", () => {
  const from = new Date("2027-01-01T00:00:00Z");
  const at = new Date("2027-01-31T23:00:00Z");
  expect(isMonthEdgeBetween(from, at, "Europe/Berlin")).toBe(true);
  expect(isMonthEdgeBetween(from, new Date(at.getTime() - 1), "Europe/Berlin")).toBe(false);
  expect(isMonthEdgeBetween(at, at, "Europe/Berlin")).toBe(false);
});

const anyZone = fc.constantFrom("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe");

test("the day before an edge is the month's last and the edge is its first, in local time", () => {
  const local = (ms: number, timeZone: string) =>
    new Date(ms).toLocaleString("sv-SE", { timeZone, dateStyle: "short", timeStyle: "medium" });
  fc.assert(
    fc.property(
      fc.date({ min: new Date("2020-01-01"), max: new Date("2040-01-01"), noInvalidDate: true }),
      anyZone,
      (at, zone) => {
        const next = nextMonthEdge(at, zone).getTime();
        expect(next).toBeGreaterThan(at.getTime());
        expect(next - at.getTime()).toBeLessThanOrEqual((31 * 24 + 2) * 3_600_000);
        expect(local(next, zone)).toMatch(/^\d{4}-\d{2}-01 00:00:00$/);
        expect(local(next - 1, zone).slice(0, 7)).toBe(local(at.getTime(), zone).slice(0, 7));
      },
    ),
    { numRuns: 200 },
  );
});
