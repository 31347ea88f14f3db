import fc from "fast-check";
import { expect, test } from "vitest";
import { sampleReading, sampleRecords } from "../meter/metered.sample.ts";
import { ALWAYS, portion, touches } from "./portion.ts";

const [hashed] = sampleRecords("grant", [sampleReading(0), sampleReading(10)]);
if (hashed === undefined) throw new Error("there is a record");
const { record } = hashed;
const beginMs = Date.parse(record.from.at);
const until = (ms: number) => ({ fromMs: null, untilMs: beginMs + ms });
const from = (ms: number) => ({ fromMs: beginMs + ms, untilMs: null });

test.each([
  ["before it", -1, 0n, 1000n],
  ["at its begin", 0, 0n, 1000n],
  ["a third into it, rounded down before the edge", 3333, 333n, 667n],
  ["at its end", 10_000, 1000n, 0n],
  ["behind it", 20_000, 1000n, 0n],
])("an edge %s splits its quantity", (_name, ms, left, right) => {
  expect(portion(1000n, record, until(ms))).toBe(left);
  expect(portion(1000n, record, from(ms))).toBe(right);
});

test("however many edges there are, the parts make the whole", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: -2_000, max: 12_000 }), { maxLength: 8 }),
      fc.bigInt({ min: 0n, max: 10n ** 30n }),
      (edges, quantity) => {
        const instants = [null, ...edges.toSorted((a, b) => a - b).map((ms) => beginMs + ms), null];
        const parts = instants
          .slice(1)
          .map((untilMs, index) =>
            portion(quantity, record, { fromMs: instants[index] ?? null, untilMs }),
          );
        expect(parts.reduce((sum, part) => sum + part, 0n)).toBe(quantity);
        for (const part of parts) expect(part).toBeGreaterThanOrEqual(0n);
      },
    ),
  );
});

test("a record whose clock was set back counts where it begins", () => {
  const back = { ...record, to: { ...record.to, at: new Date(beginMs - 5000).toISOString() } };
  expect(portion(7n, back, until(1))).toBe(7n);
  expect(portion(7n, back, from(0))).toBe(7n);
  expect(portion(7n, back, until(0))).toBe(0n);
  expect([touches(back, until(0)), touches(back, from(0))]).toEqual([false, true]);
});

test("a period is touched by what lies in it, its begin included and its end not", () => {
  expect(touches(record, ALWAYS)).toBe(true);
  expect(touches(record, until(0))).toBe(false);
  expect(touches(record, until(1))).toBe(true);
  expect(touches(record, from(10_000))).toBe(false);
  expect(touches(record, from(9_999))).toBe(true);
});
