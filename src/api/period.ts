import { refusal } from "../refusal/refusal.ts";
import { monthPeriod, startOfDay } from "../unit/day.ts";

/** Null: without a bound. */
export interface AskedPeriod {
  readonly from: Date | null;
  readonly to: Date | null;
}

interface Typed {
  readonly month?: string | undefined;
  readonly from?: string | undefined;
  readonly to?: string | undefined;
}

/**
 * A month, or from and until when: instants, or days that begin on the clocks of `timeZone`. What
 * happens at `to` is not in it any more. Refuses invalid-input.
 */
export function readPeriod({ month, from, to }: Typed, timeZone: string): AskedPeriod {
  if (month !== undefined) {
    if (from !== undefined || to !== undefined) {
      throw invalid("a month has its own begin and end; leave out either --month or the others");
    }
    const period = monthPeriod(month, timeZone);
    if (period === null) throw invalid(`${month} is not a month; write it like 2026-11`);
    return { from: period.start, to: period.end };
  }
  const bounds = { from: readBound(from, timeZone), to: readBound(to, timeZone) };
  if (bounds.from && bounds.to && bounds.from > bounds.to) {
    throw invalid("the period ends before it begins; exchange --from and --to");
  }
  return bounds;
}

function readBound(text: string | undefined, timeZone: string): Date | null {
  if (text === undefined) return null;
  return startOfDay(text, timeZone) ?? new Date(text);
}

function invalid(message: string): Error {
  return refusal("invalid-input", { message });
}
