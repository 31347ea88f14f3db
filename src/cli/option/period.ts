import { Option } from "commander";

export interface PeriodInput {
  readonly month?: string;
  readonly from?: string;
  readonly to?: string;
}

/** Which stretch of time; the server reads days and months on its own clocks. */
export function periodOptions(): Option[] {
  return [
    new Option("--month <month>", "a month of the server's time zone, like 2026-11"),
    new Option("--from <time>", "from then on: 2026-11-01, or 2026-11-01T08:00:00Z"),
    new Option("--to <time>", "until then, that itself not included"),
  ];
}

export function periodQuery({ month, from, to }: PeriodInput) {
  return { ...(month ? { month } : {}), ...(from ? { from } : {}), ...(to ? { to } : {}) };
}
