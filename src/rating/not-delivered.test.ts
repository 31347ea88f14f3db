import { expect, test } from "vitest";
import { SAMPLE_TERMS, sampleReading, sampleRecords } from "../meter/metered.sample.ts";
import { causeOf, lateStretch, notDeliveredOf } from "./not-delivered.ts";
import { ALWAYS } from "./portion.ts";
import { ratePeriod } from "./rate-period.ts";

const BEGIN = Date.parse("2027-01-31T08:00:00Z");
const at = (second: number) => new Date(BEGIN + second * 1000).toISOString();
const event = (seq: number, second: number, kind: string, reason: string | null = null) => {
  return { seq, at: at(second), kind, reason };
};

test("time is charged to the event that began it, as long as nothing ended it before", () => {
  const events = [
    event(1, 0, "waiting", "predecessor-not-wiped"),
    event(2, 300, "ready"),
    event(3, 1000, "undelivered", "process-died"),
    event(4, 1200, "delivered-again"),
    event(5, 5000, "host-lost"),
    event(6, 9000, "host-back"),
  ];
  const cause = (from: number, to: number) =>
    causeOf(events, BEGIN + from * 1000, BEGIN + to * 1000)?.seq;
  expect(cause(0, 200)).toBe(1);
  expect(cause(400, 500)).toBeUndefined();
  // Noticed a moment after the record had ended.
  expect(cause(900, 960)).toBe(3);
  expect(cause(1010, 1190)).toBe(3);
  expect(cause(1300, 1400)).toBeUndefined();
  expect(cause(4000, 8000)).toBe(5);
  expect(cause(9500, 9600)).toBeUndefined();
});

test("a record says why its time is not charged: no answer, nobody there, or behind the end", () => {
  const [hashed] = sampleRecords("grant", [sampleReading(0), sampleReading(10)]);
  if (!hashed) throw new Error("there is a record");
  const record = { ...hashed.record, deliveredNs: "7000000000" };
  expect(notDeliveredOf(record, 7_000_000_000n)).toEqual([
    { cause: "no-answer", ns: 3_000_000_000n },
  ]);
  expect(notDeliveredOf({ ...record, gap: true }, 5_000_000_000n)).toEqual([
    { cause: "unwitnessed", ns: 3_000_000_000n },
    { cause: "beyond-granted", ns: 2_000_000_000n },
  ]);
});

test("late is what was granted before the first record, and no more than was granted", () => {
  const terms = { grantedFrom: at(0), grantedNs: 600_000_000_000n, wipedAt: null };
  const records = sampleRecords("grant", [sampleReading(300), sampleReading(310)]);
  const length = (stretch: { beginMs: number; endMs: number }) => stretch.endMs - stretch.beginMs;
  expect(length(lateStretch(records, terms))).toBe(300_000);
  expect(length(lateStretch([], terms))).toBe(0);
  expect(length(lateStretch([], { ...terms, wipedAt: at(100) }))).toBe(100_000);
  expect(length(lateStretch([], { ...terms, wipedAt: at(9999) }))).toBe(600_000);
  expect(length(lateStretch(records, { ...terms, grantedFrom: at(400) }))).toBe(0);
});

test("a guest that died by its host's fault, and a host that was away, are lines of their own", () => {
  const away = { bootId: "boot-b", processId: "1:1", cpuNs: 0n };
  const readings = [
    ...[0, 10, 20].map((second) => sampleReading(second)),
    ...[30, 40].map((second) => sampleReading(second, { answered: false })),
    ...[50, 60].map((second) => sampleReading(second)),
    ...[400, 410].map((second) => sampleReading(second, away)),
  ];
  const options = { gapAfterNs: 30_000_000_000n, recordEveryNs: 1n };
  const rated = ratePeriod(
    sampleRecords("grant", readings, SAMPLE_TERMS, options),
    {
      ...{ grantedFrom: at(0), grantedNs: 10n ** 13n, wipedAt: null },
      events: [
        event(4, 31, "undelivered", "process-died"),
        event(5, 50, "delivered-again"),
        event(6, 120, "host-lost"),
        event(7, 400, "host-back"),
      ],
    },
    ALWAYS,
  );
  const free = [...rated.values()].filter(({ rule }) => rule === "not-delivered");
  expect(
    free.map(({ cause, event: by, quantity, records }) => [cause, by?.seq, quantity, records]),
  ).toEqual([
    ["no-answer", 4, 30_000_000_000n, { fromSeq: 3, toSeq: 5 }],
    ["unwitnessed", 6, 340_000_000_000n, { fromSeq: 7, toSeq: 7 }],
  ]);
});
