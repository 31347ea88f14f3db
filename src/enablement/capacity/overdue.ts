import type { z } from "zod";
import type { CapacityCode } from "./code.ts";
import type { reportingSchema } from "./terms.ts";

export interface Unreported {
  /** Metered and without receipt, in the resource's unit of use. */
  readonly quantity: bigint;
  /** The begin of the oldest of it; null: all is receipted. */
  readonly since: string | null;
}

type Reporting = z.infer<typeof reportingSchema>;

/**
 * What counts of the codes of one provider and resource: of each figure the strictest of those that
 * are valid now, so that no code loosens another's; where none is, of all. Null: there are none.
 */
export function strictestReporting(
  codes: readonly Pick<CapacityCode, "reporting" | "validity">[],
  atMs: number,
): Reporting | null {
  const valid = codes.filter(
    ({ validity: { start, end } }) => Date.parse(start) <= atMs && atMs < Date.parse(end),
  );
  const [first, ...more] = (valid.length > 0 ? valid : codes).map(({ reporting }) => reporting);
  if (first === undefined) return null;
  return more.reduce(
    (strictest, one) => ({
      reportAfterSeconds: Math.min(strictest.reportAfterSeconds, one.reportAfterSeconds),
      reportLimit:
        BigInt(one.reportLimit) < BigInt(strictest.reportLimit)
          ? one.reportLimit
          : strictest.reportLimit,
      graceSeconds: Math.min(strictest.graceSeconds, one.graceSeconds),
    }),
    first,
  );
}

/**
 * From when on too much of one resource is unreported, by its codes' terms; null: it is not. `before` is what was
 * found the last time: a limit that was passed stays passed until a receipt.
 */
export function overdueSince(
  { quantity, since }: Unreported,
  terms: Reporting,
  before: string | null,
  now: string,
): string | null {
  if (since === null) return null;
  const dueMs = Date.parse(since) + terms.reportAfterSeconds * 1000;
  if (dueMs <= Date.parse(now)) {
    const due = new Date(dueMs).toISOString();
    return before !== null && before < due ? before : due;
  }
  return quantity > BigInt(terms.reportLimit) ? (before ?? now) : null;
}

/** The grace is over: what is in service is to be returned. */
export function isGraceOver(since: string | null, graceSeconds: number, now: string): boolean {
  return since !== null && Date.parse(now) >= Date.parse(since) + graceSeconds * 1000;
}
