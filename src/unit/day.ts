import { Temporal } from "temporal-polyfill";

/** Days and months on the clocks of a time zone, daylight saving included. */

const DAY = /^\d{4}-\d{2}-\d{2}$/;
const MONTH = /^\d{4}-\d{2}$/;

/** The first instant of `2026-11-22`, or null for what is no day. */
export function startOfDay(text: string, timeZone: string): Date | null {
  if (!DAY.test(text)) return null;
  try {
    return startOf(Temporal.PlainDate.from(text, { overflow: "reject" }), timeZone);
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

/** `2026-11` whole, half-open, or null for what is no month. */
export function monthPeriod(text: string, timeZone: string): { start: Date; end: Date } | null {
  if (!MONTH.test(text)) return null;
  const start = startOfDay(`${text}-01`, timeZone);
  if (start === null) return null;
  const first = Temporal.PlainDate.from(`${text}-01`);
  return { start, end: startOf(first.add({ months: 1 }), timeZone) };
}

/** `2026-11`: the month in which the instant lies. */
export function monthOf(instant: Date, timeZone: string): string {
  const zoned = Temporal.Instant.fromEpochMilliseconds(instant.getTime()).toZonedDateTimeISO(
    timeZone,
  );
  return zoned.toPlainDate().toPlainYearMonth().toString();
}

/** Where midnight is skipped, the day begins at the first instant that there is. */
function startOf(date: Temporal.PlainDate, timeZone: string): Date {
  return new Date(date.toZonedDateTime(timeZone).startOfDay().epochMilliseconds);
}
