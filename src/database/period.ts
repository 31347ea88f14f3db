import { type RawBuilder, sql } from "kysely";

/** `[start, end)` as PostgreSQL's range of instants; an end of null is for ever. */
export function sqlPeriod(period: {
  readonly start: Date;
  readonly end: Date | null;
}): RawBuilder<string> {
  return sql<string>`tstzrange(${period.start}::timestamptz, ${period.end}::timestamptz, '[)')`;
}
