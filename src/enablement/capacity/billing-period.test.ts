import fc from "fast-check";
import { expect, test } from "vitest";
import { type BillingPeriod, edgesBetween, periodAt } from "./billing-period.ts";

const at = (text: string) => Date.parse(text);
const berlin: BillingPeriod = { kind: "month", timeZone: "Europe/Berlin" };

test("a month begins and ends at midnight on its own clocks, also where they change", () => {
  const march = periodAt(berlin, at("2026-03-31T21:59:59.999Z"));
  expect(march).toEqual({ startMs: at("2026-02-28T23:00Z"), endMs: at("2026-03-31T22:00Z") });
  expect(periodAt(berlin, march.endMs).startMs).toBe(march.endMs);
});

test("periods follow one another without a gap", () => {
  const fixed = fc.record({
    kind: fc.constant("fixed" as const),
    seconds: fc.integer({ min: 1, max: 100_000 }),
    anchor: fc.constant("2026-11-22T10:00:00Z"),
  });
  const rule = fc.oneof(fixed, fc.constant(berlin));
  const instant = fc.integer({ min: at("2025-01-01T00:00Z"), max: at("2028-01-01T00:00Z") });
  fc.assert(
    fc.property(rule, instant, (one, atMs) => {
      const period = periodAt(one, atMs);
      expect(period.startMs <= atMs && atMs < period.endMs).toBe(true);
      expect(periodAt(one, period.endMs).startMs).toBe(period.endMs);
      expect(periodAt(one, period.endMs - 1)).toEqual(period);
      expect(edgesBetween(one, atMs, period.endMs)).toEqual([period.endMs]);
      expect(edgesBetween(one, atMs, period.endMs - 1)).toEqual([]);
    }),
  );
});
