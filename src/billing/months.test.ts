import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { SAMPLE_TERMS, sampleReading, sampleRecords } from "../meter/metered.sample.ts";
import type { HashedRecord } from "../meter/record.ts";
import { SAMPLE_TARIFF, sampleBillInput } from "./bill.sample.ts";
import type { BillDocument, BillLine } from "./bill.ts";
import { makeBill } from "./make-bill.ts";
import { nextPeriod } from "./period.ts";

/** Bills of leases over the edges of months, and over changes of the clocks. */

const HOUR = 3600;
const NS = 1_000_000_000n;
const SAMPLE_BEGIN = Date.parse("2027-01-31T08:00:00Z");
const ZONE = "Europe/Berlin";

/** Read at these instants, each reading a record. */
function readAt(instants: readonly string[], cpuMode: "dedicated" | "shared" = "dedicated") {
  const readings = instants.map((at) => sampleReading((Date.parse(at) - SAMPLE_BEGIN) / 1000));
  const shifted = readings.map((one) => ({
    ...one,
    monotonicNs: one.monotonicNs + 10n ** 17n,
    cpuNs: one.cpuNs + 10n ** 17n,
  }));
  return sampleRecords(
    "grant",
    shifted,
    { ...SAMPLE_TERMS, cpuMode },
    { gapAfterNs: 10n ** 18n, recordEveryNs: 1n },
  );
}

/** The bills of a lease: one at each edge, and one at its end. */
function billsOf(
  records: readonly HashedRecord[],
  from: string,
  until: string,
  earlier: BillDocument[] = [],
) {
  const { cpuMode } = records[0]?.record ?? SAMPLE_TERMS;
  const bills = [...earlier];
  for (;;) {
    const next = nextPeriod(bills, { grantedFrom: from, timeZone: ZONE });
    const isLast = next.end >= new Date(until).toISOString();
    bills.push(
      makeBill({
        ...sampleBillInput(records),
        billId: `bill_01k000000000000000000${bills.length}`,
        ...{ cpuMode, timeZone: ZONE, earlier: [...bills] },
        kind: isLast ? "final" : "interim",
        period: isLast ? { start: next.start, end: null } : next,
        grantedFrom: from,
        grantedNs: BigInt(Date.parse(until) - Date.parse(from)) * 1_000_000n,
      }),
    );
    if (isLast) return bills;
  }
}
const timeOf = ({ lines }: BillDocument) =>
  lines.find(({ resource, rule }) => resource === "time" && rule !== "not-delivered");
const sum = (bills: readonly BillDocument[], of: (bill: BillDocument) => string) =>
  bills.reduce((total, bill) => total + BigInt(of(bill)), 0n);

describe("over the change of the clocks", () => {
  test("March in Berlin has an hour less, and is billed for what passed", () => {
    const from = "2027-02-28T23:00:00.000Z";
    const until = "2027-04-01T22:00:00.000Z";
    const records = readAt([
      from,
      "2027-03-28T00:59:00Z",
      "2027-03-28T01:00:00Z",
      "2027-03-31T22:00:00Z",
      until,
    ]);
    const [march, april, ...more] = billsOf(records, from, until);
    expect(more).toEqual([]);
    expect(march?.period).toEqual({ start: from, end: "2027-03-31T22:00:00.000Z" });
    expect(timeOf(march as BillDocument)?.quantity).toBe(
      String(BigInt(31 * 24 - 1) * BigInt(HOUR) * NS),
    );
    expect(timeOf(april as BillDocument)?.quantity).toBe(String(24n * BigInt(HOUR) * NS));
  });

  test("October in Berlin has an hour more, and the hour that is there twice is billed twice", () => {
    const from = "2027-09-30T22:00:00.000Z";
    const until = "2027-10-31T23:30:00.000Z";
    const records = readAt([from, "2027-10-31T00:30:00Z", "2027-10-31T01:30:00Z", until]);
    const [october, november] = billsOf(records, from, until);
    expect(october?.period?.end).toBe("2027-10-31T23:00:00.000Z");
    expect(timeOf(october as BillDocument)?.quantity).toBe(
      String(BigInt(31 * 24 + 1) * BigInt(HOUR) * NS),
    );
    expect(timeOf(november as BillDocument)?.quantity).toBe(String(BigInt(HOUR / 2) * NS));
  });
});

test("a record over the edge is split in proportion to its time, and leads from both bills", () => {
  const from = "2027-01-31T22:00:00.000Z";
  const until = "2027-02-01T01:00:00.000Z";
  const records = readAt([from, "2027-01-31T22:40:00Z", "2027-01-31T23:10:00Z", until]);
  const [january, february] = billsOf(records, from, until);
  expect(timeOf(january as BillDocument)).toMatchObject({
    ...{ quantity: String(BigInt(HOUR) * NS), amountMicros: "1009" },
    records: { fromSeq: 1, toSeq: 2 },
  });
  expect(timeOf(february as BillDocument)).toMatchObject({
    ...{ quantity: String(BigInt(2 * HOUR) * NS), amountMicros: "2018" },
    records: { fromSeq: 2, toSeq: 3 },
  });
  expect(january?.used).toEqual({ start: from, end: "2027-01-31T23:00:00.000Z" });
  expect(february?.used).toEqual({ start: "2027-01-31T23:00:00.000Z", end: until });
});

test("shared cpu is split by use: what a straddling record used counts as even", () => {
  const from = "2027-01-31T22:00:00.000Z";
  const until = "2027-02-01T00:30:00.000Z";
  const bills = billsOf(readAt([from, "2027-01-31T22:30:00Z", until], "shared"), from, until);
  // Half a core, by the sample: 30 minutes, and of two hours the first half hour.
  const used = bills.map(({ lines }) => lines.find(({ resource }) => resource === "cpu"));
  expect(used.map((line) => [line?.rule, line?.quantity])).toEqual([
    ["used-while-delivered", String(500n * BigInt(HOUR) * NS)],
    ["used-while-delivered", String(500n * BigInt((3 * HOUR) / 2) * NS)],
  ]);
});

const anySeconds = fc.array(fc.integer({ min: 1, max: 40 * 86_400 }), {
  minLength: 1,
  maxLength: 12,
});
const LINE = ({ resource, rule, cause }: BillLine) => `${resource} ${rule} ${cause}`;

test("whatever the edges, the bills of a lease have together what one bill would have", () => {
  fc.assert(
    fc.property(
      anySeconds,
      fc.constantFrom("dedicated" as const, "shared" as const),
      (steps, cpuMode) => {
        let ms = Date.parse("2027-02-20T10:11:12.345Z");
        const instants = [new Date(ms).toISOString()];
        for (const step of steps) {
          ms += step * 1000;
          instants.push(new Date(ms).toISOString());
        }
        const [from, until] = [instants[0] ?? "", instants.at(-1) ?? ""];
        const records = readAt(instants, cpuMode);
        const bills = billsOf(records, from, until);
        const [whole] = [
          makeBill({
            ...sampleBillInput(records),
            ...{ cpuMode, timeZone: ZONE, grantedFrom: from, period: { start: from, end: null } },
            grantedNs: BigInt(Date.parse(until) - Date.parse(from)) * 1_000_000n,
          }),
        ];
        for (const line of whole.lines) {
          const parts = bills
            .flatMap(({ lines }) => lines)
            .filter((one) => LINE(one) === LINE(line));
          expect(parts.reduce((total, { quantity }) => total + BigInt(quantity), 0n)).toBe(
            BigInt(line.quantity),
          );
        }
        expect(sum(bills, ({ elapsedNs }) => elapsedNs)).toBe(BigInt(whole.elapsedNs));
        // A micro-unit a line and bill may be rounded another way; the minor unit then is the same or next.
        const apart = sum(bills, ({ totalMicros }) => totalMicros) - BigInt(whole.totalMicros);
        expect(apart < 0n ? -apart : apart).toBeLessThanOrEqual(10_000n);
        const exact = sum(bills, ({ sumMicros }) => sumMicros);
        const rest = exact - sum(bills, ({ totalMicros }) => totalMicros);
        expect(2n * (rest < 0n ? -rest : rest)).toBeLessThanOrEqual(10_000n);
      },
    ),
    { numRuns: 60 },
  );
});

test("a longer granted time that turns out later is a correction upwards, a shorter one downwards", () => {
  const from = "2027-01-31T22:00:00.000Z";
  const records = readAt([from, "2027-01-31T23:00:00Z", "2027-02-01T01:00:00Z"]);
  const [short] = billsOf(records, from, "2027-01-31T22:30:00.000Z");
  const correct = (earlier: readonly BillDocument[], minutes: number) =>
    makeBill({
      ...sampleBillInput(records),
      ...{ timeZone: ZONE, kind: "correction", period: null, earlier },
      grantedFrom: from,
      grantedNs: BigInt(minutes * 60) * NS,
    });
  const up = correct([short as BillDocument], 90);
  expect(timeOf(up)?.quantity).toBe(String(BigInt(HOUR) * NS));
  const down = correct([short as BillDocument, up], 45);
  expect(timeOf(down)).toMatchObject({
    ...{ quantity: String(-BigInt((HOUR * 3) / 4) * NS), amountMicros: "-757" },
    corrects: { billId: short?.billId, number: 1 },
  });
  expect(BigInt(down.totalMicros)).toBeLessThan(0n);
  expect(correct([short as BillDocument, up, down], 45).lines).toEqual([]);
  expect(SAMPLE_TARIFF.priceMicrosPerHour).toBe("1009");
});
