import fc from "fast-check";
import { expect, test } from "vitest";
import { type CodeAccount, leftOf } from "../enablement/capacity/account.ts";
import {
  type BillingPeriod,
  edgesBetween,
  periodAt,
} from "../enablement/capacity/billing-period.ts";
import type { Threshold } from "../enablement/capacity/terms.ts";
import { newId } from "../unit/id.ts";
import { advanceCapacity } from "./advance-capacity.ts";
import { chainOrigin, checkChain } from "./chain.ts";
import { describeCapacity } from "./describe-capacity.ts";
import type { ChainTerms } from "./interval.ts";
import { sampleReading, sampleState } from "./metered.sample.ts";
import type { Reading } from "./reading.ts";
import { type HashedRecord, usageRecordSchema } from "./record.ts";

const CODE = "code";
const RULE: BillingPeriod = { kind: "fixed", seconds: 600, anchor: "2027-01-31T00:00:00Z" };
const TERMS: ChainTerms = {
  chainId: newId("chain"),
  hostId: newId("host"),
  partitionId: newId("partition"),
  cpuMode: "dedicated",
  size: { cpuMilli: 2000, memoryBytes: 0, diskBytes: 0 },
};
const account = (change: Partial<CodeAccount> = {}): CodeAccount => ({
  codeId: newId("code"),
  providerId: newId("party"),
  resource: "cpu",
  quantity: 2000,
  resourceTime: 10n ** 30n,
  debited: 0n,
  validFromMs: 0,
  validUntilMs: Date.parse("2030-01-01T00:00:00Z"),
  ...change,
});

interface Metered {
  readonly records: readonly HashedRecord[];
  readonly accounts: readonly CodeAccount[];
}

/** What the agent's store does with the pure parts, without the store. */
function meter(
  readings: readonly Reading[],
  { threshold = null as Threshold | null, accounts = [account()], everyNs = 60n * 10n ** 9n } = {},
): Metered {
  let state = sampleState(CODE, TERMS);
  let left = [...accounts];
  const used = new Map<number, bigint>();
  const serviceId = newId("service");
  const records = readings.flatMap((reading, index) => {
    const fromMs = Date.parse(state.lastReading?.at ?? reading.at);
    const toMs = Date.parse(reading.at);
    const validity = left.flatMap((one) => [one.validFromMs, one.validUntilMs]);
    const edges = [...edgesBetween(RULE, fromMs, toMs), ...validity];
    const advanced = advanceCapacity(state, reading, {
      recordEveryNs: everyNs,
      edgesMs: [...new Set(edges)].sort((a, b) => a - b),
      lateAfterMs: 30_000,
      final: index === readings.length - 1,
      describe: (open) => {
        const period = periodAt(RULE, Date.parse(open.from.at));
        const usedBefore = used.get(period.startMs) ?? 0n;
        const about = { serviceId, resource: "cpu" as const, quantity: 2000, period, threshold };
        const facts = { ...about, usedBefore, accounts: left, isUnreturned: false };
        const described = describeCapacity(open, facts);
        used.set(period.startMs, usedBefore + described.used);
        left = left.map((one) => {
          const debit = described.debits.find(({ codeId }) => codeId === one.codeId);
          return { ...one, debited: one.debited + (debit?.quantity ?? 0n) };
        });
        return described.capacity;
      },
    });
    state = advanced.state;
    return advanced.records;
  });
  return { records, accounts: left };
}

const metered = ({ records }: Metered) =>
  records.reduce((sum, { record }) => sum + BigInt(record.capacity?.meteredQuantity ?? 0), 0n);
const delivered = ({ records }: Metered) =>
  records.reduce((sum, { record }) => sum + BigInt(record.deliveredNs), 0n);

/** Samples at any distance; the guest ends and begins, the computer restarts, the agent is away. */
const history = fc
  .array(
    fc.record({
      seconds: fc.integer({ min: 0, max: 2_000 }),
      busyPercent: fc.integer({ min: 0, max: 200 }),
      event: fc.constantFrom("none", "none", "none", "none", "off", "guest", "host"),
    }),
    { minLength: 2, maxLength: 40 },
  )
  .map((steps) => {
    let [second, boot, life, cpuNs] = [0, 0, 0, 0n];
    return steps.map(({ seconds, busyPercent, event }) => {
      second += seconds;
      if (event === "host") boot++;
      const begins = event === "host" || event === "guest";
      if (begins) {
        life++;
        cpuNs = 0n;
      }
      cpuNs += BigInt(seconds * busyPercent) * 10_000_000n;
      const isOn = event !== "off";
      if (!isOn) life++;
      const reading = sampleReading(second, {
        ...{ bootId: `boot-${boot}`, processId: isOn ? `${life}` : null },
        ...{ cpuNs: isOn ? cpuNs : 0n, answered: isOn },
      });
      if (!isOn) cpuNs = 0n;
      return reading;
    });
  });

/** Pairs of readings that show one life of the guest. */
function pairs(readings: readonly Reading[]) {
  return readings.slice(1).map((next, index) => {
    const last = readings[index] ?? next;
    const isShown = last.bootId === next.bootId && last.processId === next.processId;
    return { last, next, isShown: isShown && next.processId !== null };
  });
}

test("dedicated time is that between readings of one life, however the records are cut", () => {
  fc.assert(
    fc.property(history, fc.bigInt({ min: 0n, max: 10n ** 12n }), (readings, everyNs) => {
      const shown = pairs(readings).filter(({ isShown }) => isShown);
      const expected = shown.reduce(
        (s, { last, next }) => s + next.monotonicNs - last.monotonicNs,
        0n,
      );
      const result = meter(readings, { everyNs });
      expect(delivered(result)).toBe(expected);
      expect(metered(result)).toBe(2000n * expected);
    }),
  );
});

test("shared use above the allowance of each period is what the sum of its use exceeds it by", () => {
  const allowance = 300n * 1000n * 10n ** 9n;
  const threshold = { kind: "allowance", milliCoreNs: allowance.toString() } as const;
  fc.assert(
    fc.property(history, (readings) => {
      const result = meter(readings, { threshold });
      const byPeriod = new Map<string, bigint>();
      for (const { record } of result.records) {
        const start = record.capacity?.period.start ?? "";
        byPeriod.set(start, (byPeriod.get(start) ?? 0n) + 1000n * BigInt(record.cpuNs));
      }
      const excess = [...byPeriod.values()].map((used) =>
        used > allowance ? used - allowance : 0n,
      );
      expect(metered(result)).toBe(excess.reduce((sum, one) => sum + one, 0n));
      // Each edge that cuts a reading may take a nanosecond on both sides, and never gives one.
      const used = result.records.reduce((sum, { record }) => sum + BigInt(record.cpuNs), 0n);
      const counted = pairs(readings).reduce((sum, { last, next, isShown }) => {
        if (next.processId === null) return sum;
        return sum + next.cpuNs - (isShown ? last.cpuNs : 0n);
      }, 0n);
      expect(used).toBeLessThanOrEqual(counted);
      expect(counted - used).toBeLessThanOrEqual(BigInt(result.records.length));
    }),
  );
});

test("every history makes a right chain whose records each lie in one period", () => {
  fc.assert(
    fc.property(history, (readings) => {
      const { records } = meter(readings);
      expect(checkChain(chainOrigin(CODE), records)).toEqual({ ok: true });
      expect(records.at(-1)?.record.final).toBe(true);
      for (const { record } of records) {
        usageRecordSchema.parse(record);
        const { start, end } = record.capacity?.period ?? { start: "", end: "" };
        expect(Date.parse(record.from.at)).toBeGreaterThanOrEqual(Date.parse(start));
        expect(Date.parse(record.to.at)).toBeLessThanOrEqual(Date.parse(end));
      }
    }),
  );
});

test("debits and overdraft are all that was metered, and no code gives more than it had", () => {
  fc.assert(
    fc.property(history, fc.bigInt({ min: 1n, max: 10n ** 15n }), (readings, resourceTime) => {
      const accounts = [
        account({ resourceTime }),
        account({ resourceTime: resourceTime / 2n + 1n }),
      ];
      const result = meter(readings, { accounts });
      const of = (pick: (record: HashedRecord["record"]) => bigint) =>
        result.records.reduce((sum, { record }) => sum + pick(record), 0n);
      const debits = of(({ capacity }) =>
        (capacity?.debits ?? []).reduce((sum, { quantity }) => sum + BigInt(quantity), 0n),
      );
      expect(debits + of(({ capacity }) => BigInt(capacity?.overdraft ?? 0))).toBe(metered(result));
      expect(result.accounts.reduce((sum, { debited }) => sum + debited, 0n)).toBe(debits);
      for (const one of result.accounts) expect(leftOf(one)).toBe(one.resourceTime - one.debited);
    }),
  );
});

test("a rate compares every interval by itself", () => {
  const threshold = { kind: "rate", cpuMilli: 500, intervalSeconds: 60 } as const;
  const busy = Array.from({ length: 16 }, (_, i) =>
    sampleReading(i * 60, { cpuNs: BigInt(i) * 120n * 10n ** 9n }),
  );
  // Two cores for fifteen minutes above half a core are 22.5 core-minutes.
  expect(metered(meter(busy, { threshold }))).toBe(22_500n * 60n * 10n ** 9n);
});

test("the end of a code's validity ends the record, and what follows is unreturned", () => {
  const endMs = Date.parse("2027-01-31T08:01:30Z");
  const accounts = [account({ validUntilMs: endMs })];
  const { records } = meter(
    [0, 60, 120, 180].map((at) => sampleReading(at)),
    { accounts },
  );
  const shown = records.map(({ record: { deliveredNs, capacity } }) => [
    ...[Number(deliveredNs) / 1e9, capacity?.state, capacity?.overdraft === "0"],
  ]);
  expect(shown).toEqual([
    [60, "in-service", true],
    [30, "in-service", true],
    [90, "unreturned", false],
  ]);
});

test("a late reading over an edge is divided evenly and marked", () => {
  const readings = [sampleReading(0), sampleReading(1200, { cpuNs: 1_000n * 10n ** 9n + 1n })];
  const { records } = meter(readings);
  const shown = records.map(({ record }) => [record.elapsedNs, record.cpuNs, record.gap]);
  expect(shown.slice(0, 2)).toEqual([
    ["600000000000", "500000000000", true],
    ["600000000000", "500000000000", true],
  ]);
});
