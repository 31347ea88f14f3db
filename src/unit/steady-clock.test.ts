import { expect, test } from "vitest";
import { systemClock } from "./clock.ts";
import { createSteadyClock } from "./steady-clock.ts";

const START_MS = Date.parse("2027-01-31T08:00:00Z");
const HOUR_MS = 3_600_000;

function createBench() {
  let wallMs = START_MS;
  let sinceBootMs = 5_000;
  const steps: [number, number][] = [];
  const clock = createSteadyClock(
    { ...systemClock, now: () => new Date(wallMs), sinceBootMs: () => sinceBootMs },
    (...step) => steps.push(step),
  );
  return {
    steps,
    passedMs: () => clock.now().getTime() - START_MS,
    pass: (ms: number) => {
      wallMs += ms;
      sinceBootMs += ms;
    },
    step: (ms: number) => {
      wallMs += ms;
    },
  };
}

test("time that passes passes, asleep or awake", () => {
  const bench = createBench();
  bench.pass(8 * HOUR_MS);
  expect(bench.passedMs()).toBe(8 * HOUR_MS);
  expect(bench.steps).toEqual([]);
});

test("an hour's step either way moves nothing, is told once, and undone is undone", () => {
  for (const stepMs of [HOUR_MS, -HOUR_MS]) {
    const bench = createBench();
    bench.pass(1_000);
    bench.step(stepMs);
    expect(bench.passedMs()).toBe(1_000);
    bench.pass(60_000);
    expect(bench.passedMs()).toBe(61_000);
    expect(bench.steps).toEqual([[stepMs, -stepMs]]);
    bench.step(-stepMs);
    expect(bench.passedMs()).toBe(61_000);
    expect(bench.steps[1]).toEqual([-stepMs, 0]);
  }
});

test("small corrections are followed", () => {
  const bench = createBench();
  for (let i = 0; i < 3; i++) {
    bench.step(-800);
    bench.passedMs();
  }
  expect(bench.passedMs()).toBe(-2_400);
  expect(bench.steps).toEqual([]);
});

test("this computer's boot time goes on with its wall clock", async () => {
  const steps: unknown[] = [];
  const clock = createSteadyClock(systemClock, (...step) => steps.push(step));
  const before = Date.now();
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(clock.now().getTime() - before).toBeGreaterThanOrEqual(99);
  expect(steps).toEqual([]);
});
