import type { Kysely } from "kysely";
import { giveBackPending } from "../../billing/lapse-extensions.ts";
import { isConnectionLost, isDiskFull } from "../../database/failure.ts";
import { transaction } from "../../database/transaction.ts";
import type { DB } from "../../database/types.ts";
import { type Host, insertHostEventOnce } from "../../host/store.ts";
import { insertLeaseEvent, wasReported } from "../../lease/event-store.ts";
import { finishLease } from "../../lease/finish.ts";
import { setOutputsGone, setRunExited, setRunStarted } from "../../lease/run-store.ts";
import { outcomeOf } from "../../lease/state.ts";
import { type Lease, lockLease, updateLease } from "../../lease/store.ts";
import { accessSchema, type WipeReceipt, wipeReceiptSchema } from "../../partition/signed.ts";
import { Refusal, refusal } from "../../refusal/refusal.ts";
import type { LeaseId } from "../../unit/id.ts";
import type { ServerContext } from "../context.ts";
import type { Report } from "../contract/agent.ts";
import type { Handler } from "../handler.ts";
import { becomeExtended, NOT_TAKEN, refuseExtension } from "./extended.ts";
import { takeGrantBack } from "./grant-held.ts";
import { verifyFromHost } from "./verify-from-host.ts";

/**
 * Each report in a transaction of its own: one that is refused keeps none of the others back, and
 * one that the server fails on only those of its own lease, which come after it.
 */
export const report: Handler<"report"> = async (context, { caller, body }) => {
  const accepted: string[] = [];
  const refused: { reportId: string; code: string; message: string }[] = [];
  const failed = new Map<LeaseId, unknown>();
  const now = context.clock.now();
  for (const one of body.reports) {
    if (failed.has(one.leaseId)) continue;
    try {
      await transaction(context.db, (tx) => apply(context, tx, caller, one, now));
      accepted.push(one.reportId);
    } catch (error) {
      if (isConnectionLost(error) || isDiskFull(error)) throw error;
      if (error instanceof Refusal) {
        context.log.warn({ hostId: caller.hostId, report: one, err: error }, "refused a report");
        await tellOwner(context, caller, one, error, now);
        refused.push({ reportId: one.reportId, code: error.code, message: error.message });
      } else {
        context.log.error({ hostId: caller.hostId, report: one, err: error }, "a report failed");
        failed.set(one.leaseId, error);
      }
    }
  }
  context.wake();
  const [failure] = failed.values();
  // Of none that could be answered, the host hears that the server failed, and waits longer.
  if (failure !== undefined && accepted.length + refused.length === 0) throw failure;
  return { accepted, refused };
};

async function apply(
  context: ServerContext,
  tx: Kysely<DB>,
  host: Host,
  report: Report,
  now: Date,
): Promise<void> {
  const lease = await lockLease(tx, report.leaseId);
  if (lease.hostId !== host.hostId)
    throw refusal("not-found", { what: "lease", id: lease.leaseId });
  if (await wasReported(tx, report.reportId)) return;
  // Whatever it says, it is said again once this server knows of the grant, too.
  if (lease.state === "booked" && report.kind !== "grant-held") {
    throw refusal("lease-not-granted", { leaseId: lease.leaseId });
  }
  const at = clampToPast(new Date(report.at), now);
  const event = { leaseId: lease.leaseId, kind: report.kind, reportId: report.reportId, at };
  if (lease.state === "ended") {
    if (report.kind === "wiped") await noteLateWipe(tx, host, lease, report.receiptJws, event);
    return;
  }
  switch (report.kind) {
    case "progress":
      await insertLeaseEvent(tx, { ...event, detail: { step: report.step } });
      return;
    case "ready":
      await becomeReady(tx, host, lease, report.accessJws, now);
      await insertLeaseEvent(tx, event);
      return;
    case "undelivered":
      await insertLeaseEvent(tx, { ...event, reason: report.reason });
      return;
    case "powered-off":
    case "powered-on": {
      const { generation, isDone, reason } = report;
      const detail = { generation, by: lease.clientName };
      await insertLeaseEvent(tx, { ...event, reason, detail });
      // Never back, and never beyond what was asked for.
      if (isDone && generation > lease.powerDoneGeneration && generation <= lease.powerGeneration) {
        await updateLease(tx, lease.leaseId, { powerDoneGeneration: generation });
      }
      return;
    }
    case "delivered-again":
      await insertLeaseEvent(tx, event);
      return;
    case "run-started":
      await setRunStarted(tx, lease.leaseId, at);
      await insertLeaseEvent(tx, event);
      return;
    case "run-exited":
      await setRunExited(tx, lease.leaseId, report.exitCode, at);
      // What came of the client's command is the client's affair: the event is the lender's, too.
      await insertLeaseEvent(tx, event);
      return;
    case "outputs-lost":
      await setOutputsGone(tx, lease.leaseId, report.reason);
      await insertLeaseEvent(tx, { ...event, reason: report.reason });
      return;
    case "failed":
      await insertLeaseEvent(tx, {
        ...event,
        reason: report.reason,
        detail: { message: report.message },
      });
      return;
    case "grant-held":
      await takeGrantBack(context, tx, { lease, report, now });
      return;
    case "extended":
      await becomeExtended(context, tx, { host, lease, report, now });
      return;
    case "extension-refused":
      await refuseExtension(tx, { lease, report, now });
      return;
    case "ending":
      await giveBackPending(tx, lease, { reason: NOT_TAKEN, now });
      // Who was told to end says that it has begun to; who ends by itself says so first.
      if (lease.state === "ending") {
        await insertLeaseEvent(tx, { ...event, kind: "stopping", reason: report.reason });
        return;
      }
      await insertLeaseEvent(tx, { ...event, reason: report.reason });
      await updateLease(tx, lease.leaseId, { state: "ending", endingAt: now });
      return;
    case "wiped":
      await becomeWiped(tx, host, lease, report, now);
  }
}

/** What a host knows and this server does not is something that a person should see, once. */
async function tellOwner(
  { db }: ServerContext,
  { hostId }: Host,
  { leaseId, kind }: Report,
  { code, message }: Refusal,
  now: Date,
): Promise<void> {
  const detail = { leaseId, report: kind, code, message };
  await insertHostEventOnce(db.kysely, { hostId, kind: "report-refused", detail, now });
}

/** The host's clock may be ahead; an event is never later than its arrival. */
function clampToPast(at: Date, now: Date): Date {
  return at > now ? now : at;
}

async function becomeReady(
  tx: Kysely<DB>,
  host: Host,
  lease: Lease,
  accessJws: string,
  now: Date,
): Promise<void> {
  const signed = { typ: "sublet-access", jws: accessJws, schema: accessSchema } as const;
  const access = await verifyFromHost(tx, { host, lease }, signed);
  if (access.leaseId !== lease.leaseId || access.hostId !== host.hostId) {
    throw refusal("signature-refused", {
      code: "other-lease",
      message: "the access is that of another lease or host",
    });
  }
  // A lease that was ended meanwhile stays ending: there is no way back to ready.
  if (lease.state !== "preparing") return;
  await updateLease(tx, lease.leaseId, {
    state: "ready",
    readyAt: now,
    access: JSON.stringify({ ...access, accessJws }),
  });
}

async function becomeWiped(
  tx: Kysely<DB>,
  host: Host,
  lease: Lease,
  report: Extract<Report, { kind: "wiped" }>,
  now: Date,
): Promise<void> {
  const receipt = await readReceipt(tx, host, lease, report.receiptJws);
  await giveBackPending(tx, lease, { reason: NOT_TAKEN, now });
  await finishLease(
    tx,
    lease,
    {
      outcome: outcomeOf(receipt.reason, lease.readyAt !== null),
      reason: receipt.reason,
      change: {
        wipeReceiptJws: report.receiptJws,
        usageSeqFinal: receipt.finalSeq,
        access: null,
        ...(lease.endingAt ? {} : { endingAt: now }),
      },
      detail: { files: receipt.files, bytes: receipt.bytes },
      reportId: report.reportId,
    },
    now,
  );
}

/**
 * A host that was removed as dead has come back and wiped the guest after all. It is told to both
 * parties; the partition stays removed, and the bill what it was.
 */
async function noteLateWipe(
  tx: Kysely<DB>,
  host: Host,
  lease: Lease,
  receiptJws: string,
  event: { leaseId: LeaseId; reportId: string; at: Date },
): Promise<void> {
  if (lease.removalJws === null) return;
  const { files, bytes, wipedAt } = await readReceipt(tx, host, lease, receiptJws);
  const detail = { files, bytes, wipedAt, receiptJws };
  await insertLeaseEvent(tx, { ...event, kind: "wiped-after-removal", detail });
}

async function readReceipt(
  tx: Kysely<DB>,
  host: Host,
  lease: Lease,
  jws: string,
): Promise<WipeReceipt> {
  const signed = { typ: "sublet-wipe-receipt", jws, schema: wipeReceiptSchema } as const;
  const receipt = await verifyFromHost(tx, { host, lease }, signed);
  if (
    receipt.leaseId === lease.leaseId &&
    receipt.hostId === host.hostId &&
    receipt.partitionId === lease.partitionId
  ) {
    return receipt;
  }
  throw refusal("signature-refused", {
    code: "other-lease",
    message: "the wipe receipt is that of another lease, partition or host",
  });
}
