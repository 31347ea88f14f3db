import type { Clock, SourceClock } from "./clock.ts";

/** More than the kernel slews while nobody looks, and less than anybody's lease could tell. */
const STEP_MS_MIN = 2_000;

/**
 * The wall clock as it was when this was made, carried on: whoever sets it meanwhile, by hand or by
 * a time service, moves nothing here (invariant 6). Small corrections are followed. What a sleep of
 * the computer takes is no step: its boot time goes on too. `onStep` gets by how much the wall
 * clock was set, and how far this one is from it now, both in milliseconds; positive: ahead.
 */
export function createSteadyClock(
  source: SourceClock,
  onStep: (stepMs: number, aheadOfWallMs: number) => void,
): Clock {
  let aheadOfWallMs = 0;
  let last = { wallMs: source.now().getTime(), sinceBootMs: source.sinceBootMs() };
  return {
    now: () => {
      const wallMs = source.now().getTime();
      const sinceBootMs = source.sinceBootMs();
      const stepMs = Math.round(wallMs - last.wallMs - (sinceBootMs - last.sinceBootMs));
      last = { wallMs, sinceBootMs };
      if (Math.abs(stepMs) >= STEP_MS_MIN) {
        aheadOfWallMs -= stepMs;
        onStep(stepMs, aheadOfWallMs);
      }
      return new Date(wallMs + aheadOfWallMs);
    },
    monotonicNs: source.monotonicNs,
    bootId: source.bootId,
  };
}
