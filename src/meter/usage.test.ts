import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Reading } from "./reading.ts";
import { BackwardReadingError, type Usage, usageBetween } from "./usage.ts";

const GAP_AFTER_NS = 30_000_000_000n;
const options = { gapAfterNs: GAP_AFTER_NS };
const first: Reading = {
  at: "2027-01-31T08:00:00.000Z",
  bootId: "boot-a",
  monotonicNs: 1_000_000_000_000n,
  processId: "100:1",
  cpuNs: 5_000_000_000n,
  answered: true,
};
const later = (changed: Partial<Reading> = {}): Reading => ({
  ...first,
  at: "2027-01-31T08:00:10.000Z",
  monotonicNs: first.monotonicNs + 10_000_000_000n,
  cpuNs: first.cpuNs + 3_000_000_000n,
  ...changed,
});
const s = (seconds: number): bigint => BigInt(seconds) * 1_000_000_000n;
const usage = (elapsed: number, delivered: number, cpu: number, gap: boolean): Usage => ({
  elapsedNs: s(elapsed),
  deliveredNs: s(delivered),
  cpuNs: s(cpu),
  gap,
});

test.each<[string, Partial<Reading>, Partial<Reading>, Usage]>([
  ["both answered", {}, {}, usage(10, 10, 3, false)],
  [
    "exactly as far apart as is allowed",
    {},
    { monotonicNs: first.monotonicNs + s(30) },
    usage(30, 30, 3, false),
  ],
  [
    "a nanosecond too far apart",
    {},
    { monotonicNs: first.monotonicNs + s(30) + 1n },
    { ...usage(30, 0, 3, true), elapsedNs: s(30) + 1n },
  ],
  ["the first did not answer", { answered: false }, {}, usage(10, 0, 3, false)],
  ["the second did not answer", {}, { answered: false }, usage(10, 0, 3, false)],
  ["neither answered", { answered: false }, { answered: false }, usage(10, 0, 3, false)],
  ["the guest was restarted", {}, { processId: "200:1" }, usage(10, 0, 8, false)],
  [
    "the guest was restarted, and its counter is lower",
    {},
    { processId: "200:1", cpuNs: s(1) },
    usage(10, 0, 1, false),
  ],
  [
    "the guest was restarted while nobody looked",
    {},
    { processId: "200:1", monotonicNs: first.monotonicNs + s(60) },
    usage(60, 0, 8, true),
  ],
  ["the guest began", { processId: null, cpuNs: 0n, answered: false }, {}, usage(10, 0, 8, false)],
  [
    "the guest stopped",
    {},
    { processId: null, cpuNs: 0n, answered: false },
    usage(10, 0, 0, false),
  ],
  [
    "no guest, whatever is said of it",
    { processId: null },
    { processId: null },
    usage(10, 0, 0, false),
  ],
  [
    "the host restarted",
    {},
    { bootId: "boot-b", monotonicNs: 5n, cpuNs: s(2), processId: "7:1" },
    usage(10, 0, 2, true),
  ],
  [
    "the host restarted, and the process has the same name",
    {},
    { bootId: "boot-b", cpuNs: s(2) },
    usage(10, 0, 2, true),
  ],
  [
    "the host restarted, and its clock was set back",
    {},
    { bootId: "boot-b", at: "2026-01-01T00:00:00Z" },
    usage(0, 0, 8, true),
  ],
  ["the wall clock stepped back", {}, { at: "1970-01-01T00:00:00Z" }, usage(10, 10, 3, false)],
  ["the wall clock stepped forward", {}, { at: "2099-01-01T00:00:00Z" }, usage(10, 10, 3, false)],
  ["the same reading again", {}, first, usage(0, 0, 0, false)],
])("%s", (_name, before, after, expected) => {
  expect(usageBetween({ ...first, ...before }, later(after), options)).toEqual(expected);
});

test.each<[string, Partial<Reading>, string]>([
  ["the monotonic clock fell", { monotonicNs: first.monotonicNs - 1n }, "monotonic-backwards"],
  ["the cpu counter of one process fell", { cpuNs: first.cpuNs - 1n }, "cpu-backwards"],
])("%s: refused by name", (_name, after, code) => {
  const take = () => usageBetween(first, later(after), options);
  expect(take).toThrow(BackwardReadingError);
  expect(take).toThrow(expect.objectContaining({ code }));
});

describe("over any run of readings", () => {
  const step = fc.record({
    nanoseconds: fc.bigInt({ min: 0n, max: 40_000_000_000n }),
    cpuNs: fc.bigInt({ min: 0n, max: 80_000_000_000n }),
    answered: fc.boolean(),
    event: fc.constantFrom("none", "none", "none", "guest", "stopped", "host"),
    wallMs: fc.integer({ min: 0, max: 4e12 }),
  });
  const run = fc.array(step, { minLength: 2, maxLength: 30 }).map((steps) => {
    const readings: Reading[] = [first];
    for (const [index, { nanoseconds, cpuNs, answered, event, wallMs }] of steps.entries()) {
      const last = readings.at(-1) ?? first;
      const restarted = event === "host";
      const began = event === "guest" || restarted || last.processId === null;
      const stopped = event === "stopped";
      readings.push({
        at: new Date(wallMs).toISOString(),
        bootId: restarted ? `boot-${index}` : last.bootId,
        monotonicNs: restarted ? nanoseconds : last.monotonicNs + nanoseconds,
        processId: stopped ? null : began ? `${index}` : last.processId,
        cpuNs: stopped ? 0n : began ? cpuNs : last.cpuNs + cpuNs,
        answered: answered && !stopped,
      });
    }
    return readings;
  });
  const add = (readings: readonly Reading[]): Usage =>
    readings.slice(1).reduce<Usage>(
      (sum, next, index) => {
        const part = usageBetween(readings[index] ?? first, next, options);
        return {
          elapsedNs: sum.elapsedNs + part.elapsedNs,
          deliveredNs: sum.deliveredNs + part.deliveredNs,
          cpuNs: sum.cpuNs + part.cpuNs,
          gap: sum.gap || part.gap,
        };
      },
      { elapsedNs: 0n, deliveredNs: 0n, cpuNs: 0n, gap: false },
    );

  test("nothing is ever negative, nor delivered for longer than it lasted", () => {
    fc.assert(
      fc.property(run, (readings) => {
        for (const [index, next] of readings.slice(1).entries()) {
          const part = usageBetween(readings[index] ?? first, next, options);
          expect(part.deliveredNs).toBeGreaterThanOrEqual(0n);
          expect(part.deliveredNs).toBeLessThanOrEqual(part.elapsedNs);
          expect(part.cpuNs).toBeGreaterThanOrEqual(0n);
          if (part.gap) expect(part.deliveredNs).toBe(0n);
        }
      }),
    );
  });

  test("within one boot the parts last as long as the whole, however it is cut", () => {
    fc.assert(
      fc.property(run, (readings) => {
        const oneBoot = readings.map((reading) => ({ ...reading, bootId: first.bootId }));
        oneBoot.sort((a, b) => Number(a.monotonicNs - b.monotonicNs));
        const bare = oneBoot.map((reading, index) => ({ ...reading, processId: `${index}` }));
        const last = bare.at(-1) ?? first;
        expect(add(bare).elapsedNs).toBe(last.monotonicNs - (bare[0] ?? first).monotonicNs);
      }),
    );
  });

  test("a run without gaps adds up to last minus first, and so does every subdivision of it", () => {
    const ticks = fc.array(
      fc.tuple(
        fc.bigInt({ min: 0n, max: GAP_AFTER_NS / 40n }),
        fc.bigInt({ min: 0n, max: 10n ** 10n }),
      ),
      { minLength: 1, maxLength: 40 },
    );
    fc.assert(
      fc.property(ticks, fc.array(fc.boolean()), (steps, kept) => {
        const readings = [first];
        for (const [ns, cpuNs] of steps) {
          const last = readings.at(-1) ?? first;
          readings.push({ ...last, monotonicNs: last.monotonicNs + ns, cpuNs: last.cpuNs + cpuNs });
        }
        const last = readings.at(-1) ?? first;
        const whole = usageBetween(first, last, options);
        expect(whole.deliveredNs).toBe(last.monotonicNs - first.monotonicNs);
        const ends = [0, readings.length - 1];
        const some = readings.filter((_, index) => ends.includes(index) || kept[index]);
        expect(add(readings)).toEqual(whole);
        expect(add(some)).toEqual(whole);
      }),
    );
  });

  test("more readings never deliver less", () => {
    fc.assert(
      fc.property(run, fc.nat(), (readings, drop) => {
        const running = readings.map((reading) => ({
          ...reading,
          bootId: first.bootId,
          processId: first.processId,
          answered: true,
        }));
        running.sort((a, b) => Number(a.monotonicNs - b.monotonicNs));
        const counted = running.map((reading, index) => ({ ...reading, cpuNs: BigInt(index) }));
        const at = 1 + (drop % (counted.length - 2 || 1));
        const fewer = counted.filter((_, index) => index !== at);
        expect(add(fewer).deliveredNs).toBeLessThanOrEqual(add(counted).deliveredNs);
      }),
    );
  });
});
