import { expect, test } from "vitest";
import {
  SAMPLE_OPTIONS,
  SAMPLE_TERMS,
  sampleReading,
  sampleRecords,
} from "../meter/metered.sample.ts";
import {
  type ClosingFacts,
  missingRecords,
  RECORDS_DEADLINE_HOURS,
  timeToClose,
} from "./time-to-close.ts";

const HOUR_MS = 3_600_000;
const DAY = 86_400;
/** Read every six hours from 31 January 08:00 on, and ended on 2 March. */
const days = Array.from({ length: 121 }, (_, index) => sampleReading((index * DAY) / 4));
const records = sampleRecords("grant", days, SAMPLE_TERMS, {
  ...SAMPLE_OPTIONS,
  recordEveryNs: 1n,
});
const shown = (count: number) => ({ records: records.slice(0, count) });
const ended = new Date("2027-03-02T08:00:00Z");
const january = { start: "2027-01-31T08:00:00Z", end: "2027-01-31T23:00:00.000Z" };
const february = { start: january.end, end: "2027-02-28T23:00:00.000Z" };

const facts: ClosingFacts = {
  ...{ earlier: [], grantedFrom: january.start, timeZone: "Europe/Berlin" },
  ...{ endedAt: null, usageSeqFinal: null, isHostRemoved: false, records: [] },
};
const closed = (
  kind: "interim" | "final",
  period: { start: string; end: string | null },
  finalSeq: number,
) => ({
  ...{ kind, period, closedAt: "2027-03-05T12:00:00Z" },
  evidence: {
    finalSeq,
    finalHash: null,
    missing: [],
    grantedUntil: "2027-03-02T08:00:00.000Z",
    wipedAt: null,
  },
});
const due = (change: Partial<ClosingFacts>, now: string | Date) =>
  timeToClose({ ...facts, ...change }, new Date(now));

test("a month's bill closes when the records go beyond its edge, with those that reach it", () => {
  // Record 3 lies from 20:00 to 02:00; the edge of Berlin's January is at 23:00.
  expect(due(shown(2), "2027-02-01T12:00:00Z")).toBeNull();
  const bill = { kind: "interim", period: january, count: 3, incomplete: false };
  expect(due(shown(3), "2027-02-01T12:00:00Z")).toEqual(bill);
  expect(due(shown(20), "2027-02-10T12:00:00Z")).toEqual(bill);
  // A host whose clock is ahead bills nothing early.
  expect(due(shown(3), "2027-01-31T22:59:59Z")).toBeNull();
});

test("a month's bill waits for its records until the deadline, and then closes on what was shown", () => {
  const deadline = Date.parse(january.end) + RECORDS_DEADLINE_HOURS * HOUR_MS;
  expect(due(shown(1), new Date(deadline - 1))).toBeNull();
  const bill = { kind: "interim", period: january, count: 1, incomplete: true };
  expect(due(shown(1), new Date(deadline))).toEqual(bill);
});

test("months follow each other, and the last bill is the lease's own end", () => {
  const whole = { records, endedAt: ended, usageSeqFinal: BigInt(records.length) };
  const one = closed("interim", january, 3);
  const two = closed("interim", february, 115);
  expect(due({ ...whole, earlier: [one] }, ended)).toMatchObject({
    kind: "interim",
    period: february,
  });
  expect(due({ ...whole, earlier: [one, two] }, ended)).toEqual({
    ...{ kind: "final", period: { start: february.end, end: null } },
    ...{ count: records.length, incomplete: false },
  });
});

test("a lease that ends at the very edge has one bill", () => {
  const until = [...days.slice(0, 3), sampleReading(15 * 3600)];
  const atEdge = sampleRecords("grant", until, SAMPLE_TERMS, {
    ...SAMPLE_OPTIONS,
    recordEveryNs: 1n,
  });
  const input = {
    records: atEdge,
    endedAt: new Date(january.end),
    usageSeqFinal: BigInt(atEdge.length),
  };
  expect(due(input, "2027-02-01T12:00:00Z")).toMatchObject({ kind: "final", incomplete: false });
});

test("a bill closes on the final record, and waits for it until the deadline", () => {
  const over = {
    endedAt: ended,
    earlier: [closed("interim", january, 3), closed("interim", february, 115)],
  };
  const deadline = ended.getTime() + RECORDS_DEADLINE_HOURS * HOUR_MS;
  expect(due({ ...over, ...shown(118), usageSeqFinal: 120n }, new Date(deadline - 1))).toBeNull();
  const late = due({ ...over, ...shown(118), usageSeqFinal: 120n }, new Date(deadline));
  expect(late).toMatchObject({ kind: "final", count: 118, incomplete: true });
  expect(due({ ...over, records }, ended)).toMatchObject({ kind: "final", incomplete: false });
  const unused = { endedAt: new Date(january.start), usageSeqFinal: 0n };
  expect(due(unused, january.start)).toMatchObject({ kind: "final", count: 0, incomplete: false });
});

test("records of a host that was removed are not waited for", () => {
  const removed = { ...shown(2), endedAt: new Date(january.start), isHostRemoved: true };
  expect(due(removed, january.start)).toMatchObject({ kind: "final", count: 2, incomplete: true });
});

test("after the final bill, what came late is a correction: when all is there, or after the deadline", () => {
  const final = closed("final", { start: january.start, end: null }, 118);
  const over = { endedAt: ended, usageSeqFinal: BigInt(records.length), earlier: [final] };
  const soon = new Date("2027-03-05T13:00:00Z");
  expect(due({ ...over, ...shown(118) }, soon)).toBeNull();
  expect(due({ ...over, ...shown(119) }, soon)).toBeNull();
  const correction = { kind: "correction", period: null, incomplete: false };
  expect(due({ ...over, records }, soon)).toEqual({ ...correction, count: records.length });
  expect(due({ ...over, ...shown(119) }, "2027-03-08T12:00:00Z")).toEqual({
    ...{ ...correction, count: 119 },
    incomplete: true,
  });
});

test.each([
  ["nothing", [1, 2, 3], 3, 3n, []],
  ["a gap", [1, 2, 5, 6], 2, 6n, [{ fromSeq: 3, toSeq: 4 }]],
  [
    "two gaps and the end",
    [1, 3, 6],
    1,
    8n,
    [
      { fromSeq: 2, toSeq: 2 },
      { fromSeq: 4, toSeq: 5 },
      { fromSeq: 7, toSeq: 8 },
    ],
  ],
  [
    "an end that nobody knows",
    [1, 3],
    1,
    null,
    [
      { fromSeq: 2, toSeq: 2 },
      { fromSeq: 4, toSeq: null },
    ],
  ],
  ["all", [], 0, null, [{ fromSeq: 1, toSeq: null }]],
])("of a chain %s is missing", (_name, seqs, count, seqFinal, missing) => {
  expect(missingRecords(seqs, count, seqFinal)).toEqual(missing);
});
