import type { DesiredState } from "../../api/contract/agent.ts";
import { acknowledgedSeq, sendAgain, unsentCount } from "../../meter/spool-batch.ts";
import { sha256Hex } from "../../unit/canonical.ts";
import { type AgentContext, instantNow } from "../context.ts";
import { countReports, queueReportAgain } from "../report/store.ts";
import type { LeaseRow } from "./store.ts";

type Told = DesiredState["leases"][number];

/**
 * A database that was restored knows less than this host once told it. What the desired state shows
 * to be forgotten is told again, each report under its old number, so that it is taken once: what
 * the server knows after all changes nothing. While reports still wait to be sent, the server is
 * not behind but has not heard them yet.
 */
export function tellAgain(context: AgentContext, lease: LeaseRow, told: Told): void {
  if (countReports(context.db, lease.leaseId) > 0) return;
  tellGrant(context, lease, told);
  if (told.state === "preparing" && lease.stage === "ready" && lease.readyReport !== null) {
    queueReportAgain(context.db, lease.readyReport);
  }
  tellExtensions(context, lease, told);
  if (lease.stage === "done" && !isKnownButFor(told)) tellEnd(context, lease);
}

/** The server granted anew what this host runs under an earlier grant, on which its records hang. */
function tellGrant(context: AgentContext, lease: LeaseRow, { grantJws }: Told): void {
  const { leaseId, grantJws: held } = lease;
  if (grantJws === null || held === null || held === grantJws) return;
  queueReportAgain(context.db, {
    // One number for each grant that it answers.
    reportId: `${leaseId}:grant-${sha256Hex(grantJws).slice(0, 12)}`,
    at: instantNow(context),
    ...{ leaseId, kind: "grant-held", grantJws: held },
  });
  context.log.warn({ leaseId }, "the server granted a lease again that is known here");
}

function tellExtensions(context: AgentContext, lease: LeaseRow, told: Told): void {
  if (told.state === "ended" || lease.sequence <= told.sequence) return;
  for (const { verdict, report } of lease.extensions) {
    if (verdict === "taken" && report !== null) queueReportAgain(context.db, report);
  }
}

/** It knows that the lease has ended and names the records that it lacks: only those go again. */
function isKnownButFor({ state, missing }: Told): boolean {
  return state === "ended" && missing !== undefined;
}

/** It asks for a lease that it acknowledged as wiped, or for records of one that it knows to be. */
function tellEnd(context: AgentContext, lease: LeaseRow): void {
  const { db } = context;
  const { leaseId, receiptJws, reportCount } = lease;
  if (receiptJws === null) return;
  queueReportAgain(db, {
    reportId: `${leaseId}:${reportCount}`,
    at: instantNow(context),
    ...{ leaseId, kind: "wiped", receiptJws },
  });
  if (unsentCount(db, leaseId) === 0 && acknowledgedSeq(db, leaseId) > 0) sendAgain(db, leaseId, 0);
}
