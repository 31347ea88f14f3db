import fc from "fast-check";
import { expect, test } from "vitest";
import { advance } from "./advance.ts";
import { chainOrigin, checkChain } from "./chain.ts";
import { intervalSchema, intervalToJson, openInterval } from "./interval.ts";
import {
  SAMPLE_OPTIONS,
  SAMPLE_TERMS,
  sampleReading,
  sampleRecords,
  sampleState,
} from "./metered.sample.ts";
import { type Reading, readingSchema, readingToJson } from "./reading.ts";
import { usageRecordSchema } from "./record.ts";

const GRANT = "grant";
const every = (stepSeconds: number, untilSecond: number): Reading[] =>
  Array.from({ length: untilSecond / stepSeconds + 1 }, (_, i) => sampleReading(i * stepSeconds));

test("an interval becomes a record when it is long enough, and the rest when it is final", () => {
  const records = sampleRecords(GRANT, every(10, 150));
  expect(records.map(({ record }) => [record.seq, record.elapsedNs, record.final])).toEqual([
    [1, "60000000000", false],
    [2, "60000000000", false],
    [3, "30000000000", true],
  ]);
  expect(records[0]?.record).toMatchObject({
    ...SAMPLE_TERMS,
    deliveredNs: "60000000000",
    cpuNs: "30000000000",
    gap: false,
  });
  expect(checkChain(chainOrigin(GRANT), records)).toEqual({ ok: true });
});

test("a first reading that is final makes one record of nothing", () => {
  const [only, ...more] = sampleRecords(GRANT, [sampleReading(0)]);
  expect(more).toEqual([]);
  expect(only?.record).toMatchObject({ seq: 1, final: true, elapsedNs: "0", deliveredNs: "0" });
  expect(only?.record.from).toEqual(only?.record.to);
});

test("the same reading again adds nothing", () => {
  const once = advance(sampleState(GRANT), sampleReading(0), SAMPLE_OPTIONS);
  const twice = advance(once.state, sampleReading(10), SAMPLE_OPTIONS);
  expect(advance(twice.state, sampleReading(10), SAMPLE_OPTIONS)).toEqual(twice);
});

test("nothing follows a final record", () => {
  const options = { ...SAMPLE_OPTIONS, final: true };
  const { state } = advance(sampleState(GRANT), sampleReading(0), options);
  expect(state).toMatchObject({ closed: true, open: null });
  expect(() => advance(state, sampleReading(10), options)).toThrow(/no reading after/);
});

test("the time between two boots is a record of its own, and not delivered", () => {
  const second = (at: number) =>
    sampleReading(at, {
      bootId: "boot-b",
      monotonicNs: BigInt(at) * 1_000_000_000n,
      processId: "1:1",
    });
  const records = sampleRecords(GRANT, [...every(10, 20), second(500), second(510), second(520)]);
  expect(
    records.map(({ record }) => [record.elapsedNs, record.deliveredNs, record.gap, record.final]),
  ).toEqual([
    ["20000000000", "20000000000", false, false],
    ["480000000000", "0", true, false],
    ["20000000000", "20000000000", false, true],
  ]);
  expect(checkChain(chainOrigin(GRANT), records)).toEqual({ ok: true });
});

test("a host that restarts as the last thing still closes its chain", () => {
  const after = sampleReading(100, {
    bootId: "boot-b",
    processId: null,
    cpuNs: 0n,
    answered: false,
  });
  const records = sampleRecords(GRANT, [sampleReading(0), after]);
  expect(records.map(({ record }) => [record.elapsedNs, record.final])).toEqual([
    ["100000000000", false],
    ["0", true],
  ]);
  expect(checkChain(chainOrigin(GRANT), records)).toEqual({ ok: true });
});

const anyRun = fc
  .array(
    fc.record({
      seconds: fc.integer({ min: 0, max: 90 }),
      answered: fc.boolean(),
      event: fc.constantFrom("none", "none", "none", "none", "guest", "host"),
    }),
    { minLength: 1, maxLength: 40 },
  )
  .map((steps) => {
    let second = 0;
    let boot = 0;
    let guest = 0;
    return steps.map(({ seconds, answered, event }) => {
      second += seconds;
      if (event === "host") boot++;
      if (event !== "none") guest++;
      return sampleReading(second, { bootId: `boot-${boot}`, processId: `${guest}`, answered });
    });
  });

test("any run of readings makes a right chain that accounts for all of its time, once", () => {
  fc.assert(
    fc.property(anyRun, (readings) => {
      const records = sampleRecords(GRANT, readings);
      expect(checkChain(chainOrigin(GRANT), records)).toEqual({ ok: true });
      expect(records.at(-1)?.record.final).toBe(true);
      expect(records.filter(({ record }) => record.final)).toHaveLength(1);
      for (const { record } of records) usageRecordSchema.parse(record);
      const elapsed = records.reduce((sum, { record }) => sum + BigInt(record.elapsedNs), 0n);
      const [first, last] = [readings[0], readings.at(-1)];
      expect(elapsed).toBe((last?.monotonicNs ?? 0n) - (first?.monotonicNs ?? 0n));
    }),
  );
});

test("how often records are written does not change what was delivered", () => {
  fc.assert(
    fc.property(anyRun, fc.bigInt({ min: 0n, max: 10n ** 12n }), (readings, recordEveryNs) => {
      const delivered = (everyNs: bigint) =>
        sampleRecords(GRANT, readings, SAMPLE_TERMS, {
          ...SAMPLE_OPTIONS,
          recordEveryNs: everyNs,
        }).reduce((sum, { record }) => sum + BigInt(record.deliveredNs), 0n);
      expect(delivered(recordEveryNs)).toBe(delivered(10n ** 18n));
    }),
  );
});

test("readings and open intervals survive storing", () => {
  const reading = sampleReading(3, { monotonicNs: 2n ** 70n });
  expect(readingSchema.parse(JSON.parse(JSON.stringify(readingToJson(reading))))).toEqual(reading);
  const open = { ...openInterval(reading), cpuNs: 2n ** 70n };
  expect(intervalSchema.parse(JSON.parse(JSON.stringify(intervalToJson(open))))).toEqual(open);
});
