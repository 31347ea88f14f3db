import { InputError } from "./quantity.ts";

export const DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] as const;
export type Day = (typeof DAYS)[number];

/** A range on the clock of some days of the week: `from` < `to`, and `to` may be 24:00. */
export interface WeekWindow {
  readonly days: readonly Day[];
  readonly from: string;
  readonly to: string;
}

/**
 * `mon-fri 08:00-20:00`, `sat+sun 10:00-16:00` or `daily 22:00-06:00`, which is past midnight and so
 * becomes two windows. Days may also be a range over the week's end: `fri-mon`.
 */
export function parseWindows(text: string): WeekWindow[] {
  const match = /^(\S+)\s+(\d{2}:\d{2})-(\d{2}:\d{2})$/.exec(text.trim().toLowerCase());
  const [, daysText = "", from = "", to = ""] = match ?? [];
  const days = match ? parseDays(daysText) : [];
  if (days.length === 0 || !isTime(from) || from === "24:00" || !isTime(to) || from === to) {
    throw new InputError(
      `"${text}" is no weekly window; write it like "mon-fri 08:00-20:00" or "sat+sun 10:00-24:00"`,
    );
  }
  if (from < to) return [{ days, from, to }];
  const next = days.map((day) => DAYS[(DAYS.indexOf(day) + 1) % DAYS.length] ?? day);
  const evening = { days, from, to: "24:00" };
  return to === "00:00" ? [evening] : [evening, { days: inOrder(next), from: "00:00", to }];
}

/** `mon-fri 08:00-20:00`. */
export function formatWindow({ days, from, to }: WeekWindow): string {
  return `${formatDays(days)} ${from}-${to}`;
}

function parseDays(text: string): Day[] {
  if (text === "daily") return [...DAYS];
  const days = text.split(/[+,]/).flatMap((part) => {
    const [first = "", last = first] = part.split("-");
    const [begin, end] = [indexOf(first), indexOf(last)];
    if (begin < 0 || end < 0) return [undefined];
    const count = ((end - begin + DAYS.length) % DAYS.length) + 1;
    return Array.from({ length: count }, (_, index) => DAYS[(begin + index) % DAYS.length]);
  });
  return days.includes(undefined) ? [] : inOrder(days.filter((day) => day !== undefined));
}

function formatDays(days: readonly Day[]): string {
  const ordered = inOrder(days);
  const [first, last] = [ordered[0] ?? "mon", ordered.at(-1) ?? "mon"];
  if (ordered.length === DAYS.length) return "daily";
  const isRun = ordered.length > 2 && indexOf(last) - indexOf(first) === ordered.length - 1;
  return isRun ? `${first}-${last}` : ordered.join("+");
}

function inOrder(days: readonly Day[]): Day[] {
  return DAYS.filter((day) => days.includes(day));
}

function indexOf(day: string): number {
  return (DAYS as readonly string[]).indexOf(day);
}

function isTime(text: string): boolean {
  return /^([01]\d|2[0-3]):[0-5]\d$|^24:00$/.test(text);
}
