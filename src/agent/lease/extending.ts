import { inTransaction } from "../../meter/transaction.ts";
import { isEnding } from "../../partition/step.ts";
import { sign } from "../../signature/envelope.ts";
import { sha256Hex } from "../../unit/canonical.ts";
import type { LeaseId } from "../../unit/id.ts";
import { tellCapacityTime } from "../capacity/clock-store.ts";
import { reserveLonger } from "../capacity/reserve.ts";
import { type AgentContext, instantNow } from "../context.ts";
import { judgeExtension } from "../grant.ts";
import { queueReport, queueReportAgain } from "../report/store.ts";
import { changeLease, type LeaseRow, readLease, type ToldExtension } from "./store.ts";

/**
 * Stores what the server told, for the lease's next step to judge. What was judged before is
 * answered again: a server that still asks has forgotten the answer.
 */
export function noteExtensions(
  context: AgentContext,
  leaseId: LeaseId,
  told: readonly string[],
): void {
  const lease = told.length === 0 ? null : readLease(context.db, leaseId);
  if (lease === null) return;
  const isKnown = (jws: string) => lease.extensions.some((one) => one.jws === jws);
  for (const { jws, report } of lease.extensions) {
    if (report !== null && told.includes(jws)) queueReportAgain(context.db, report);
  }
  const news = told.filter((jws) => !isKnown(jws));
  if (news.length === 0) return;
  const added = news.map((jws): ToldExtension => ({ jws, verdict: "new", report: null }));
  changeLease(context.db, leaseId, { extensions: [...lease.extensions, ...added] });
}

/**
 * Judges what is new, in order. In the lease's own turn, so that no end is under way meanwhile: what
 * is acknowledged here holds.
 */
export function takeExtensions(context: AgentContext, found: LeaseRow): void {
  const news = found.extensions.filter(({ verdict }) => verdict === "new");
  for (const { jws } of news) {
    const lease = readLease(context.db, found.leaseId);
    // Of a lease that was not judged itself nothing can be said yet.
    const isUnjudged =
      lease?.granted === null && lease.endReason === null && !isEnding(lease.stage);
    if (lease === null || isUnjudged) return;
    takeOne(context, lease, jws);
  }
}

function takeOne(context: AgentContext, lease: LeaseRow, jws: string): void {
  if (isOver(context, lease)) {
    refuse(context, lease, { jws, code: "lease-ending", message: "the lease is at its end here" });
    return;
  }
  const judgement = judgeExtension(context, lease, jws);
  if (!judgement.ok) {
    refuse(context, lease, { jws, ...judgement });
    return;
  }
  const { jti, sequence, period } = judgement.grant;
  const { leaseId } = lease;
  const at = instantNow(context);
  const word = { leaseId, hostId: context.host.hostId, grantJti: jti, sequence };
  const acknowledged = { ...word, end: period.end, acknowledgedAt: at };
  const acknowledgementJws = sign("sublet-extended", acknowledged, context.keys.of(lease));
  const unreserved = inTransaction(context.db, () => {
    const now = tellCapacityTime(context);
    const message = reserveLonger(context, now, lease, period.end);
    if (message !== null) return message;
    const body = { kind: "extended", extensionJws: jws, acknowledgementJws } as const;
    const report = queueReport(context.db, { leaseId, at }, body);
    changeLease(context.db, leaseId, {
      ...{ sequence, endsAt: period.end, endsAtNs: laterDeadline(lease, period.end) },
      extensions: judged(lease, { jws, verdict: "taken", report }),
    });
    return null;
  });
  if (unreserved !== null) {
    refuse(context, lease, { jws, code: "capacity-exceeded", message: unreserved });
    return;
  }
  context.log.info({ leaseId, until: period.end }, "a lease was extended");
}

/** The deadline moves by what lies between the ends, on its own clock: nothing is reckoned anew. */
function laterDeadline({ endsAt, endsAtNs }: LeaseRow, end: string): bigint {
  if (endsAt === null || endsAtNs === null) throw new Error("an accepted lease has a deadline");
  return endsAtNs + BigInt(Date.parse(end) - Date.parse(endsAt)) * 1_000_000n;
}

function isOver(context: AgentContext, { stage, endReason, endsAtNs }: LeaseRow): boolean {
  if (isEnding(stage) || endReason !== null) return true;
  return endsAtNs !== null && context.clock.monotonicNs() >= endsAtNs;
}

function refuse(
  context: AgentContext,
  lease: LeaseRow,
  { jws, code, message }: { jws: string; code: string; message: string },
): void {
  const { leaseId } = lease;
  const extensionSha256 = sha256Hex(jws);
  const fault = { reason: code.slice(0, 64), message: message.slice(0, 2000) };
  inTransaction(context.db, () => {
    const body = { kind: "extension-refused", extensionSha256, ...fault } as const;
    const report = queueReport(context.db, { leaseId, at: instantNow(context) }, body);
    const extensions = judged(lease, { jws, verdict: "refused", report });
    changeLease(context.db, leaseId, { extensions });
  });
  context.log.error({ leaseId, ...fault }, "an extension was refused; the lease keeps its end");
}

function judged(lease: LeaseRow, one: ToldExtension): readonly ToldExtension[] {
  return lease.extensions.map((told) => (told.jws === one.jws ? one : told));
}
