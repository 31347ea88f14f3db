import type { Span } from "../rating/portion.ts";
import { nextMonthEdge } from "../unit/month.ts";
import type { BillDocument, BillPeriod } from "./bill.ts";

/** The first period takes what was before it, too: a host's clock may have been behind. */
export function spanOf({ start, end }: BillPeriod, isFirst: boolean): Span {
  return {
    fromMs: isFirst ? null : Date.parse(start),
    untilMs: end === null ? null : Date.parse(end),
  };
}

/** The period of a lease's next bill, if it goes on to the edge of its month. */
export function nextPeriod(
  earlier: readonly Pick<BillDocument, "period">[],
  { grantedFrom, timeZone }: { readonly grantedFrom: string; readonly timeZone: string },
): { readonly start: string; readonly end: string } {
  const last = earlier.findLast(({ period }) => period !== null)?.period;
  const start = last?.end ?? grantedFrom;
  return { start, end: nextMonthEdge(new Date(start), timeZone).toISOString() };
}
