import type { TimeToBill } from "../../enablement/capacity/act.ts";
import { periodAt } from "../../enablement/capacity/billing-period.ts";
import { lastReadingOf } from "../../meter/spool.ts";
import type { PartyId } from "../../unit/id.ts";
import type { AgentContext } from "../context.ts";
import { writeAct } from "./act-store.ts";
import {
  listChains,
  listOpenChains,
  markBilled,
  type Period,
  unbilledHeads,
  unbilledPeriods,
} from "./chain-store.ts";
import type { CapacityNow } from "./clock-store.ts";
import { listCodes } from "./code-store.ts";
import { hostIdOf } from "./host.ts";

/**
 * Says that what a provider's codes were used for is to be billed now. The caller has closed the
 * open records, in the same transaction. Without any use since the last time there is nothing to
 * say. Periods that are over are left to their own time to bill.
 */
export function sayTimeToBill(
  context: AgentContext,
  now: CapacityNow,
  providerId: PartyId,
  reason: TimeToBill,
): number {
  const periods = unbilledPeriods(context.db, providerId);
  const current = periods.filter(({ end }) => Date.parse(end) > now.atMs);
  for (const period of current) bill(context, now, providerId, reason, period);
  return current.length;
}

/**
 * Answers a demand when nothing was used: a time to bill that names no chains, in the present period
 * of the provider's last code. Without a code of its own here, months by UTC are as good as any.
 */
export function sayNothingToBill(
  context: AgentContext,
  now: CapacityNow,
  providerId: PartyId,
): void {
  const code = listCodes(context.db).findLast(({ code: one }) => one.iss === providerId)?.code;
  const rule = code?.billingPeriod ?? { kind: "month", timeZone: "UTC" };
  const { startMs, endMs } = periodAt(rule, now.atMs);
  const [start, end] = [new Date(startMs).toISOString(), new Date(endMs).toISOString()];
  bill(context, now, providerId, "demand", { start, end });
}

/** The end of each period, once every meter of the provider has been read at or after it. */
export function billEndedPeriods(context: AgentContext, now: CapacityNow): void {
  const { db } = context;
  for (const providerId of new Set(listChains(db).map((chain) => chain.providerId))) {
    const open = listOpenChains(db).filter((chain) => chain.providerId === providerId);
    const readAt = open.map(({ chainId }) => Date.parse(lastReadingOf(db, chainId)?.at ?? now.at));
    const readMs = Math.min(now.atMs, ...readAt);
    for (const period of unbilledPeriods(db, providerId)) {
      if (Date.parse(period.end) > readMs) continue;
      bill(context, now, providerId, "period-end", period);
    }
  }
}

function bill(
  context: AgentContext,
  now: CapacityNow,
  providerId: PartyId,
  reason: TimeToBill,
  period: Period,
): void {
  const chains = unbilledHeads(context.db, providerId, period);
  markBilled(context.db, providerId, period);
  const detail = { reason, period: { ...period }, providerId, chains };
  writeAct(context.db, hostIdOf(context), now, { kind: "time-to-bill", ...detail });
  context.log.info({ providerId, reason, ...period }, "time to bill");
}
