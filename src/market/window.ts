import { Temporal } from "temporal-polyfill";
import { z } from "zod";
import { DAYS, formatWindow } from "../unit/week.ts";

/** When a partition is lent: weekly ranges on the clocks of a time zone, daylight saving included. */

const timeText = z
  .string()
  .regex(/^([01]\d|2[0-3]):[0-5]\d$|^24:00$/, "expected a time like 08:00");
/** Past midnight is two windows: until 24:00, and from 00:00. */
export const windowSchema = z
  .strictObject({ days: z.array(z.enum(DAYS)).min(1).max(7), from: timeText, to: timeText })
  .refine(
    ({ from, to }) => from < to,
    "a window ends after it begins; past midnight is two windows",
  );
export type Window = Readonly<z.infer<typeof windowSchema>>;

/** More are no week that anybody can read. */
export const WINDOWS_MAX = 50;

export const timeZoneText = z
  .string()
  .max(64)
  .refine(isTimeZone, "expected a time zone like Europe/Berlin or UTC");

export interface Weekly {
  /** None: always. */
  readonly windows: readonly Window[];
  readonly timeZone: string;
}
export interface Stretch {
  readonly start: Date;
  readonly end: Date;
}

/** Whether the whole period lies in windows; windows that touch are one. */
export function isWithinWindows(weekly: Weekly, period: Stretch): boolean {
  return nextWindowStart(weekly, period.start, lengthMs(period))?.getTime() === +period.start;
}

/**
 * The first instant at or after `from` at which so long a lease can begin within the windows, or
 * null when no week has room for it.
 */
export function nextWindowStart(weekly: Weekly, from: Date, durationMs: number): Date | null {
  if (weekly.windows.length === 0 || isWholeWeek(weekly.windows)) return from;
  // What does not cover the week is shorter than a week; clocks go back by an hour, or a day's dateline.
  if (durationMs > 8 * DAY_MS) return null;
  for (const { start, end } of stretchesFrom(weekly, from)) {
    const at = start > from ? start : from;
    if (at.getTime() + durationMs <= end.getTime()) return at;
  }
  return null;
}

/**
 * Until when a lease that has begun at `start` can go on within the windows: null is for ever. Of a
 * start outside of them it is the start itself.
 */
export function windowEnd(weekly: Weekly, start: Date): Date | null {
  if (weekly.windows.length === 0 || isWholeWeek(weekly.windows)) return null;
  const [stretch] = stretchesFrom(weekly, start);
  return stretch === undefined || stretch.start > start ? start : stretch.end;
}

/** Two weeks hold each window twice: one that a change of clocks has shortened is whole in the other. */
const HORIZON_DAYS = 24;
const DAY_MS = 86_400_000;

/** The windows as instants, joined where they touch, that end after `from`. */
function stretchesFrom({ windows, timeZone }: Weekly, from: Date): Stretch[] {
  const today = Temporal.Instant.fromEpochMilliseconds(from.getTime())
    .toZonedDateTimeISO(timeZone)
    .toPlainDate();
  const stretches: Stretch[] = [];
  // A week back: the joined stretch that holds `from` may have begun then.
  for (let day = -8; day < HORIZON_DAYS; day++) {
    const date = today.add({ days: day });
    for (const { days, ...times } of windows) {
      if (!days.includes(DAYS[date.dayOfWeek - 1] ?? "mon")) continue;
      const start = instantOf(date, times.from, timeZone);
      const end = instantOf(date, times.to, timeZone);
      if (start < end) stretches.push({ start, end });
    }
  }
  return joined(stretches).filter(({ end }) => end > from);
}

/** A time that the clocks leave out is as much later; of one that comes twice the first counts. */
function instantOf(date: Temporal.PlainDate, time: string, timeZone: string): Date {
  const [day, plainTime] = time === "24:00" ? [date.add({ days: 1 }), "00:00"] : [date, time];
  return new Date(day.toZonedDateTime({ timeZone, plainTime }).epochMilliseconds);
}

function joined(stretches: readonly Stretch[]): Stretch[] {
  const result: { start: Date; end: Date }[] = [];
  for (const { start, end } of stretches.toSorted((a, b) => +a.start - +b.start)) {
    const last = result.at(-1);
    if (last === undefined || start > last.end) result.push({ start, end });
    else if (end > last.end) last.end = end;
  }
  return result;
}

function isWholeWeek(windows: readonly Window[]): boolean {
  return DAYS.every((day) => {
    let until = "00:00";
    const ofDay = windows.filter(({ days }) => days.includes(day));
    for (const { from, to } of ofDay.toSorted((a, b) => (a.from < b.from ? -1 : 1))) {
      if (from > until) return false;
      if (to > until) until = to;
    }
    return until === "24:00";
  });
}

/** `mon-fri 08:00-20:00, sat 10:00-16:00 Europe/Berlin`. */
export function windowsText({ windows, timeZone }: Weekly): string {
  if (windows.length === 0) return "always";
  return `${windows.map(formatWindow).join(", ")} ${timeZone}`;
}

function lengthMs({ start, end }: Stretch): number {
  return end.getTime() - start.getTime();
}

function isTimeZone(text: string): boolean {
  try {
    Temporal.Now.zonedDateTimeISO(text);
    return true;
  } catch {
    return false;
  }
}
