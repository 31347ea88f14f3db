import type { z } from "zod";
import type { reportingSchema } from "./terms.ts";

export interface Unreported {
  /** Metered and without receipt, in the resource's unit of use. */
  readonly quantity: bigint;
  /** The begin of the oldest of it; null: all is receipted. */
  readonly since: string | null;
}

/**
 * From when on too much is unreported, by a code's terms; null: it is not. `before` is what was
 * found the last time: a limit that was passed stays passed until a receipt.
 */
export function overdueSince(
  { quantity, since }: Unreported,
  terms: z.infer<typeof reportingSchema>,
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
