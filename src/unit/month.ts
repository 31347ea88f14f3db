/**
 * The first instant of the calendar month after the one that `at` is in, in this time zone. Where
 * clocks are changed at that very midnight, it is the first instant that has the new month's date.
 */
export function nextMonthEdge(at: Date, timeZone: string): Date {
  const [year, month] = monthIn(at.getTime(), timeZone);
  const midnightMs = Date.UTC(year, month, 1);
  // No zone is farther than this from UTC, so the edge lies between the two.
  let beforeMs = midnightMs - FARTHEST_MS;
  let afterMs = midnightMs + FARTHEST_MS;
  while (afterMs - beforeMs > 1) {
    const middleMs = Math.floor((beforeMs + afterMs) / 2);
    if (isLater(monthIn(middleMs, timeZone), [year, month])) afterMs = middleMs;
    else beforeMs = middleMs;
  }
  return new Date(afterMs);
}

/** Whether a calendar month ends after `from` and not after `to`. */
export function isMonthEdgeBetween(from: Date, to: Date, timeZone: string): boolean {
  return nextMonthEdge(from, timeZone) <= to;
}

const FARTHEST_MS = 36 * 3_600_000;

type Month = readonly [year: number, month: number];

const FORMATS = new Map<string, Intl.DateTimeFormat>();

function monthIn(ms: number, timeZone: string): Month {
  const format =
    FORMATS.get(timeZone) ??
    new Intl.DateTimeFormat("en-US", {
      ...{ timeZone, calendar: "gregory", numberingSystem: "latn" },
      ...{ year: "numeric", month: "numeric" },
    });
  FORMATS.set(timeZone, format);
  const parts = format.formatToParts(ms);
  const part = (type: string) => Number(parts.find((one) => one.type === type)?.value);
  return [part("year"), part("month")];
}

function isLater([year, month]: Month, [otherYear, otherMonth]: Month): boolean {
  return year > otherYear || (year === otherYear && month > otherMonth);
}
