import { Temporal } from "temporal-polyfill";
import { z } from "zod";
import { timeZoneText } from "../../market/window.ts";
import { instantText } from "../../unit/schema.ts";

/**
 * The periods for which capacity is billed, one after another without a gap. `fixed`: so many
 * seconds each, counted from an instant. `month`: calendar months on the clocks of a time zone.
 */
export const billingPeriodSchema = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("fixed"),
    seconds: z
      .number()
      .int()
      .positive()
      .max(366 * 86_400),
    anchor: instantText,
  }),
  z.strictObject({ kind: z.literal("month"), timeZone: timeZoneText }),
]);
export type BillingPeriod = z.infer<typeof billingPeriodSchema>;

/** From `start`, inclusive, to `end`, exclusive; instants in milliseconds since 1970. */
export interface PeriodMs {
  readonly startMs: number;
  readonly endMs: number;
}

/** The period in which an instant lies. */
export function periodAt(rule: BillingPeriod, atMs: number): PeriodMs {
  if (rule.kind === "fixed") {
    const lengthMs = rule.seconds * 1000;
    const anchorMs = Date.parse(rule.anchor);
    const startMs = anchorMs + Math.floor((atMs - anchorMs) / lengthMs) * lengthMs;
    return { startMs, endMs: startMs + lengthMs };
  }
  const local = Temporal.Instant.fromEpochMilliseconds(atMs).toZonedDateTimeISO(rule.timeZone);
  const first = local.with({ day: 1 }).startOfDay();
  return {
    startMs: first.epochMilliseconds,
    endMs: first.add({ months: 1 }).startOfDay().epochMilliseconds,
  };
}

/** The edges that lie after `fromMs` and not after `toMs`, ascending. */
export function edgesBetween(rule: BillingPeriod, fromMs: number, toMs: number): number[] {
  const edges: number[] = [];
  for (let at = periodAt(rule, fromMs).endMs; at <= toMs; at = periodAt(rule, at).endMs) {
    edges.push(at);
  }
  return edges;
}
