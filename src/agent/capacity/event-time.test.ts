import fc from "fast-check";
import { expect, test } from "vitest";
import { type EventTime, eventTimeAt } from "./event-time.ts";

const SECOND_NS = 1_000_000_000n;
const begin = eventTimeAt(null, { bootId: "a", monotonicNs: 5n, nowMs: 1_000_000 });

test("a clock that is set moves no edge, and one that drifts is followed", () => {
  const stepped = eventTimeAt(begin, { bootId: "a", monotonicNs: 5n + SECOND_NS, nowMs: 9e12 });
  expect(stepped.atNs).toBe(begin.atNs + SECOND_NS + SECOND_NS / 1000n);
  const slow = { bootId: "a", monotonicNs: 5n + 100n * SECOND_NS, nowMs: 1_099_950 };
  expect(eventTimeAt(begin, slow).atNs).toBe(1_099_950n * 1_000_000n);
});

test("the time of events and the run time never fall, whatever clocks and boots do", () => {
  const steps = fc.array(fc.record({ ns: fc.nat(), nowMs: fc.nat(), boot: fc.boolean() }), {
    maxLength: 30,
  });
  fc.assert(
    fc.property(steps, (all) => {
      let [before, boot, monotonicNs, ran]: [EventTime, number, bigint, bigint] = [
        begin,
        0,
        5n,
        0n,
      ];
      for (const step of all) {
        if (step.boot) {
          boot++;
          monotonicNs = 0n;
        } else {
          monotonicNs += BigInt(step.ns);
          ran += BigInt(step.ns);
        }
        const bootId = boot === 0 ? "a" : `${boot}`;
        const now = eventTimeAt(before, { bootId, monotonicNs, nowMs: step.nowMs });
        expect(now.atNs).toBeGreaterThanOrEqual(before.atNs);
        expect(now.runNs).toBe(ran);
        before = now;
      }
    }),
  );
});
