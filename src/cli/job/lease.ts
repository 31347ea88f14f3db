import { setTimeout as sleep } from "node:timers/promises";
import type { Client } from "../../api/client/client.ts";
import type { LeaseView } from "../../api/contract/view.ts";
import type { LeaseId, RunId } from "../../unit/id.ts";
import type { Context } from "../context.ts";
import { CliError } from "../failure.ts";
import { followLease } from "../follow-lease.ts";
import { progress } from "../output/progress.ts";
import { money } from "../output/words.ts";
import { isUnanswered, untilAnswered } from "../until-answered.ts";

/** Until the guest's way in is there: search, boot and whatever else happens are told meanwhile. */
export async function ready(
  context: Context,
  client: Client,
  leaseId: LeaseId,
  signal: AbortSignal,
): Promise<LeaseView> {
  const over = ({ state }: LeaseView) => state === "ending" || state === "ended";
  const wanted = (lease: LeaseView) => lease.access !== null || over(lease);
  const lease = await followLease(context, client, leaseId, wanted, undefined, signal);
  if (!over(lease)) return lease;
  const { outcome, state, reason } = lease;
  throw new CliError(
    "lease-ended",
    `${leaseId} did not become ready: it is ${outcome ?? state}${reason ? ` (${reason})` : ""}; \`sublet lease show ${leaseId}\` tells what happened`,
    { leaseId, state, outcome, reason },
  );
}

/** What delivered time came to by now, at the most; null before there is any. */
export function costSoFar(lease: LeaseView, now: Date): string | null {
  if (lease.readyAt === null) return null;
  const ms = Math.max(0, now.getTime() - new Date(lease.readyAt).getTime());
  const micros = (BigInt(lease.quote.perHourMicros) * BigInt(Math.round(ms))) / 3_600_000n;
  return money(micros.toString(), lease.tariff.currency);
}

export interface Settled {
  readonly leases: readonly {
    readonly leaseId: LeaseId;
    readonly billId: string | null;
    readonly totalMicros: string | null;
  }[];
  readonly billedMicros: string;
  readonly currency: string;
  /** Every lease that ran has its bill. */
  readonly isComplete: boolean;
}

/** A host wipes and sends its last records within seconds; a bill that takes longer is told so. */
const BILLS_WITHIN_MS = 45_000;
const POLL_MS = 300;

/** Ends what the run has, and waits for what it cost. */
export async function endAndSettle(
  context: Context,
  client: Client,
  runId: RunId,
  leaseIds: readonly LeaseId[],
): Promise<Settled> {
  for (const leaseId of leaseIds) {
    const about = { id: leaseId, again: `sublet lease end ${leaseId}` };
    const request = () => client.call("endLease", { params: { leaseId } });
    await untilAnswered(context, request, about);
  }
  return settle(context, client, runId);
}

export async function settle(context: Context, client: Client, runId: RunId): Promise<Settled> {
  const shown = progress(context);
  const startedAtMs = context.clock.now().getTime();
  try {
    for (;;) {
      const settled = await lookAtBills(client, runId).catch((error: unknown) => {
        if (isUnanswered(error)) return null;
        throw error;
      });
      const waitedMs = context.clock.now().getTime() - startedAtMs;
      if (settled?.isComplete || (settled && waitedMs > BILLS_WITHIN_MS)) return settled;
      if (settled === null && waitedMs > 2 * BILLS_WITHIN_MS) {
        const message = `the server does not answer; \`sublet run show ${runId}\` tells the cost later`;
        throw new CliError("answer-lost", message, { runId });
      }
      if (waitedMs > 1000) shown.update(`ending, waited ${Math.floor(waitedMs / 1000)} s`);
      await sleep(POLL_MS);
    }
  } finally {
    shown.done();
  }
}

async function lookAtBills(client: Client, runId: RunId): Promise<Settled> {
  const run = await client.call("showRun", { params: { runId } });
  const leases = run.leases.map(({ leaseId, billId, totalMicros }) => ({
    ...{ leaseId, billId, totalMicros },
  }));
  const isComplete = run.leases.every(
    ({ state, outcome, billId }) =>
      state === "ended" && (billId !== null || outcome === "cancelled"),
  );
  const { billedMicros, currency } = run;
  return { leases, billedMicros, currency, isComplete };
}

/** The one line about money at the end. */
export function costLine(settled: Settled, runId: RunId): string {
  const { leases, billedMicros, currency, isComplete } = settled;
  const cost = money(billedMicros, currency);
  const bills = leases.flatMap(({ billId }) => (billId === null ? [] : [billId]));
  if (!isComplete) {
    return `cost ${cost} so far; a bill is still open, \`sublet run show ${runId}\` tells later`;
  }
  return `cost ${cost} (${bills.join(", ") || "nothing was billed"})`;
}
