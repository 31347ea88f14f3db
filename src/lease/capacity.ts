import { addSizes, mapSize, SIZE_ZERO, type Size } from "../unit/size.ts";
import type { Period } from "./period.ts";

/**
 * The most that is reserved at once during a period, resource by resource. Sums change only where
 * a reservation begins, so those instants (and the period's own start) are all that is looked at.
 */
export function peakReserved(
  reservations: readonly { readonly size: Size; readonly period: Period }[],
  during: Period,
): Size {
  const touching = reservations.filter(
    ({ period }) =>
      (during.end === null || period.start < during.end) &&
      (period.end === null || period.end > during.start),
  );
  const instants = [
    during.start.getTime(),
    ...touching.map(({ period }) => period.start.getTime()),
  ].filter((at) => at >= during.start.getTime());
  let peak = SIZE_ZERO;
  for (const at of new Set(instants)) {
    const sum = touching
      .filter(({ period }) => period.start.getTime() <= at)
      .filter(({ period }) => period.end === null || period.end.getTime() > at)
      .reduce((total, { size }) => addSizes(total, size), SIZE_ZERO);
    peak = largerOf(peak, sum);
  }
  return peak;
}

function largerOf(a: Size, b: Size): Size {
  return mapSize((resource) => Math.max(a[resource], b[resource]));
}
