import { expect, test } from "vitest";
import { SAMPLE_OPTIONS, SAMPLE_TERMS, sampleReading, sampleRecords } from "./metered.sample.ts";

/** The sample begins at 2027-01-31T08:00Z; January ends in Berlin fifteen hours later. */
const EDGE = 15 * 3600;
const cut = (seconds: readonly number[], cpuMode: "dedicated" | "shared" = "dedicated") =>
  sampleRecords(
    "grant",
    seconds.map((second) => sampleReading(second)),
    { ...SAMPLE_TERMS, cpuMode },
    { ...SAMPLE_OPTIONS, billingTimeZone: "Europe/Berlin" },
  ).map(({ record }) => [record.from.at.slice(11, 23), record.to.at.slice(11, 23)]);

test("a reading at the edge of a month ends the record there", () => {
  expect(cut([EDGE - 20, EDGE - 10, EDGE, EDGE + 10, EDGE + 20])).toEqual([
    ["22:59:40.000", "22:59:50.000"],
    ["22:59:50.000", "23:00:00.000"],
    ["23:00:00.000", "23:00:20.000"],
  ]);
});

test("without one, no more straddles the edge than lies between two readings", () => {
  for (const mode of ["dedicated", "shared"] as const) {
    expect(cut([EDGE - 25, EDGE - 15, EDGE - 5, EDGE + 5, EDGE + 15], mode)).toEqual([
      ["22:59:35.000", "22:59:55.000"],
      ["22:59:55.000", "23:00:05.000"],
      ["23:00:05.000", "23:00:15.000"],
    ]);
  }
});

test("elsewhere it is no edge", () => {
  expect(cut([EDGE + 3600 - 5, EDGE + 3600 + 5])).toHaveLength(1);
});
