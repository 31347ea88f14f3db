import type { TimeToBill } from "../../enablement/capacity/act.ts";
import { periodAt } from "../../enablement/capacity/billing-period.ts";
import { inTransaction } from "../../meter/transaction.ts";
import type { PartyId } from "../../unit/id.ts";
import type { AgentContext } from "../context.ts";
import { listGuests } from "../guests.ts";
import { billEndedPeriods, sayNothingToBill } from "./bill.ts";
import { listOpenChains } from "./chain-store.ts";
import { tellCapacityTime } from "./clock-store.ts";
import { listCodes } from "./code-store.ts";
import { billNow, dueMeters, keepSharedMeters, readMeters } from "./meters.ts";
import { keepPolicies } from "./policy.ts";
import { keepRaisedOnce } from "./pool.ts";
import { readProvider, writeProvider } from "./provider-store.ts";
import { pruneOnce } from "./prune.ts";
import { codeOf } from "./reading.ts";
import { serveAll } from "./serve.ts";
import { readService } from "./service-store.ts";
import { inCapacityTurn } from "./turn.ts";

/**
 * One pass over all enabled capacity: meters are read where it is time, periods that are over are
 * billed, services go on to where they should be. Repeating it does nothing more. Costs nothing
 * where nothing was ever enabled.
 */
export async function capacityOnce(context: AgentContext): Promise<void> {
  if (listCodes(context.db).length === 0) return;
  await inCapacityTurn(context, async () => {
    const guests = await listGuests(context);
    inTransaction(context.db, () => {
      const now = tellCapacityTime(context);
      readMeters(context, now, dueMeters(context, now), guests, {});
      keepSharedMeters(context, now, guests);
      billEndedPeriods(context, now);
      keepPolicies(context, now, guests);
    });
    await serveAll(context);
    await keepRaisedOnce(context, await listGuests(context));
    pruneOnce(context);
  });
}

/** Somebody wants a bill now: of a provider's codes, or of all. Gives how many there were. */
export function billOnDemand(
  context: AgentContext,
  providerId: PartyId | null,
  reason: Extract<TimeToBill, "demand" | "termination"> = "demand",
): Promise<number> {
  return inCapacityTurn(context, async () => {
    const guests = await listGuests(context);
    return inTransaction(context.db, () => {
      const now = tellCapacityTime(context);
      const all = new Set(listCodes(context.db).map(({ code }) => code.iss));
      let said = 0;
      for (const one of providerId === null ? all : [providerId]) {
        said += billNow(context, now, one, reason, guests);
      }
      return said;
    });
  });
}

/**
 * A provider has asked for a bill at an instant. It is answered once, with what was used, or with a
 * time to bill that names nothing: a demand is never left open.
 */
export function answerDemand(
  context: AgentContext,
  providerId: PartyId,
  demandedAt: string,
): Promise<void> {
  return inCapacityTurn(context, async () => {
    const guests = await listGuests(context);
    inTransaction(context.db, () => {
      const { demandAnswered } = readProvider(context.db, providerId);
      if (demandAnswered !== null && Date.parse(demandedAt) <= Date.parse(demandAnswered)) return;
      const now = tellCapacityTime(context);
      const said = billNow(context, now, providerId, "demand", guests);
      if (said === 0) sayNothingToBill(context, now, providerId);
      writeProvider(context.db, providerId, { demandAnswered: demandedAt });
    });
  });
}

/** A reading belongs on the edge of a period: how long until the next, at most `mostMs`. */
export function untilEdgeMs(context: AgentContext, mostMs: number): number {
  if (listOpenChains(context.db).length === 0) return mostMs;
  const { atMs } = inTransaction(context.db, () => tellCapacityTime(context));
  const edges = listOpenChains(context.db).flatMap(({ serviceId }) => {
    const service = readService(context.db, serviceId);
    if (service === null) return [];
    return [periodAt(codeOf(context, service).code.billingPeriod, atMs).endMs];
  });
  return Math.max(1, Math.min(mostMs, ...edges.map((edge) => edge - atMs)));
}
