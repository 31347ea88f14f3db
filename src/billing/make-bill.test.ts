import fc from "fast-check";
import { expect, test } from "vitest";
import { quote } from "../market/price.ts";
import { SAMPLE_TERMS, sampleReading, sampleRecords } from "../meter/metered.sample.ts";
import { anyRecords, anyTariff, SAMPLE_TARIFF, sampleBillInput } from "./bill.sample.ts";
import { billDocumentSchema } from "./bill.ts";
import { makeBill } from "./make-bill.ts";

const steps = (untilSecond: number) =>
  Array.from({ length: untilSecond / 10 + 1 }, (_, index) => sampleReading(index * 10));
const OF = {
  host: SAMPLE_TERMS.hostId,
  partition: SAMPLE_TERMS.partitionId,
  period: { start: "2027-01-31T08:00:00Z", end: null },
};
const BEGIN = "2027-01-31T08:00:00Z";
const hour = sampleRecords("grant", steps(3600));

test("an hour of one and a half cores costs what the tariff says", () => {
  const bill = makeBill(sampleBillInput(hour));
  expect(
    bill.lines.map(({ resource, rule, amountMicros }) => [resource, rule, amountMicros]),
  ).toEqual([
    ["cpu", "reserved-while-delivered", "60004"], // 60004.5, to the even neighbour
    ["memory", "reserved-while-delivered", "7510"], // 7510.5
    ["disk", "reserved-while-delivered", "555"],
    ["time", "reserved-while-delivered", "1009"],
  ]);
  expect(bill).toMatchObject({
    sumMicros: "69078",
    totalMicros: "70000",
    remainderMicros: "-922",
    elapsedNs: "3600000000000",
    deliveredNs: "3600000000000",
    used: { start: "2027-01-31T08:00:00.000Z", end: "2027-01-31T09:00:00.000Z" },
    evidence: { finalSeq: hour.length, finalHash: hour.at(-1)?.hash },
  });
});

test("an hour of shared cpu costs what was used of it, at the shared price", () => {
  const terms = { ...SAMPLE_TERMS, cpuMode: "shared" } as const;
  const [line] = makeBill(sampleBillInput(sampleRecords("grant", steps(3600), terms))).lines;
  expect(line).toEqual({
    resource: "cpu",
    rule: "used-while-delivered",
    // Half a core for an hour.
    quantity: String(500n * 3_600_000_000_000n),
    unit: "milliCoreNs",
    priceMicrosPerHour: "70019",
    amountMicros: "35010", // 35009.5, to the even neighbour
    ...OF,
    records: { fromSeq: 1, toSeq: 60 },
  });
});

test("time that was not delivered is a line of its own, free of charge", () => {
  const readings = [...steps(100).map((r) => ({ ...r, answered: false })), sampleReading(110)];
  const bill = makeBill(sampleBillInput(sampleRecords("grant", readings)));
  expect(bill.totalMicros).toBe("0");
  expect(bill.lines.at(-1)).toEqual({
    resource: "time",
    rule: "not-delivered",
    quantity: "110000000000",
    unit: "ns",
    priceMicrosPerHour: "0",
    amountMicros: "0",
    cause: "no-answer",
    notChargedMicros: "2110",
    ...OF,
    records: { fromSeq: 1, toSeq: 2 },
  });
});

test("granted time before the first answer is not delivered, and its cause stands beside it", () => {
  const readings = [300, 310, 320].map((second) => sampleReading(second));
  const at = "2027-01-31T08:00:01.000Z";
  const event = { seq: 2, at, kind: "waiting", reason: "predecessor-not-wiped" };
  const input = { ...sampleBillInput(sampleRecords("grant", readings)), events: [event] };
  const bill = makeBill(input);
  const free = { rule: "not-delivered", quantity: "300000000000", amountMicros: "0" };
  const line = { ...free, cause: "late", event, notChargedMicros: "5756" };
  expect(bill.lines.at(-1)).toMatchObject(line);
  expect(bill.lines.find(({ resource }) => resource === "time")?.quantity).toBe("20000000000");
});

test("a lease that was never delivered shows all of its time until its wipe as not delivered", () => {
  const until = (wipedAt: string) => makeBill({ ...sampleBillInput([]), wipedAt }).lines.at(-1);
  const line = { rule: "not-delivered", amountMicros: "0" };
  expect(until("2027-01-31T08:10:00Z")).toMatchObject({ ...line, quantity: "600000000000" });
  // Two hours were granted; that the wipe came late is not part of them.
  expect(until("2027-01-31T18:00:00Z")).toMatchObject({ ...line, quantity: "7200000000000" });
});

test("a bill without any use has its lines at zero, and no period", () => {
  const bill = makeBill(sampleBillInput([]));
  expect(bill.lines.map(({ resource, quantity }) => [resource, quantity])).toEqual([
    ["cpu", "0"],
    ["memory", "0"],
    ["disk", "0"],
    ["time", "0"],
  ]);
  expect(bill).toMatchObject({
    used: null,
    totalMicros: "0",
    evidence: { finalSeq: 0, finalHash: null },
  });
});

test("a flat part without a price has no line", () => {
  const tariff = { ...SAMPLE_TARIFF, priceMicrosPerHour: "0" };
  const bill = makeBill({ ...sampleBillInput(hour), tariff });
  expect(bill.lines.map(({ resource }) => resource)).toEqual(["cpu", "memory", "disk"]);
});

test("nobody pays for more time than was granted", () => {
  const input = sampleBillInput(hour);
  const bill = makeBill({ ...input, grantedNs: 1_800_000_000_000n });
  expect(bill.lines.find(({ resource }) => resource === "time")?.quantity).toBe("1800000000000");
  expect(bill.lines.at(-1)).toMatchObject({ rule: "not-delivered", quantity: "1800000000000" });
  expect(bill.deliveredNs).toBe("3600000000000");
});

test("a record given twice, left out or out of order makes no bill", () => {
  const [first, second, ...rest] = hour;
  if (!first || !second) throw new Error("there are records");
  for (const wrong of [
    [first, first, second],
    [second, ...rest],
    [second, first],
  ]) {
    expect(() => makeBill(sampleBillInput(wrong))).toThrow(/no bill was made/);
  }
});

const anyGrantedSeconds = fc.integer({ min: 0, max: 1500 });

test("any bill fits its schema, its lines make its sum, and rounding is at most half a minor unit", () => {
  fc.assert(
    fc.property(anyTariff, anyRecords("grant"), anyGrantedSeconds, (tariff, records, seconds) => {
      const grantedNs = BigInt(seconds) * 1_000_000_000n;
      const bill = makeBill({ ...sampleBillInput(records), tariff, grantedNs });
      billDocumentSchema.parse(bill);
      const sum = bill.lines.reduce((total, line) => total + BigInt(line.amountMicros), 0n);
      expect(bill.sumMicros).toBe(sum.toString());
      expect(BigInt(bill.totalMicros) + BigInt(bill.remainderMicros)).toBe(sum);
      const unit = 10n ** BigInt(6 - tariff.minorUnitDigits);
      expect(BigInt(bill.totalMicros) % unit).toBe(0n);
      const remainder = BigInt(bill.remainderMicros);
      expect(2n * (remainder < 0n ? -remainder : remainder)).toBeLessThanOrEqual(unit);
      const ns = bill.lines.filter(({ resource }) => resource === "time");
      const timed = ns.reduce((total, line) => total + BigInt(line.quantity), 0n);
      const first = records[0]?.record.from.at ?? BEGIN;
      const lateNs = BigInt(Date.parse(first) - Date.parse(BEGIN)) * 1_000_000n;
      const late = lateNs < grantedNs ? lateNs : grantedNs;
      if (tariff.priceMicrosPerHour !== "0") expect(timed).toBe(BigInt(bill.elapsedNs) + late);
    }),
  );
});

test("no bill is above the quote of the same size and period", () => {
  fc.assert(
    fc.property(anyTariff, anyRecords("grant"), anyGrantedSeconds, (tariff, records, seconds) => {
      const grantedNs = BigInt(seconds) * 1_000_000_000n;
      const bill = makeBill({ ...sampleBillInput(records), tariff, grantedNs });
      const { size, cpuMode } = records[0]?.record ?? SAMPLE_TERMS;
      const quoted = quote(size, cpuMode, seconds, tariff);
      const most = BigInt(quoted.fixedMicros) + BigInt(quoted.meteredMaxMicros);
      expect(BigInt(bill.sumMicros)).toBeLessThanOrEqual(most);
      expect(BigInt(bill.totalMicros)).toBeLessThanOrEqual(BigInt(quoted.totalMicros));
    }),
    { numRuns: 300 },
  );
});
