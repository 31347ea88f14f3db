import type { Kysely } from "kysely";
import { transaction } from "../../database/transaction.ts";
import type { DB } from "../../database/types.ts";
import type { Host } from "../../host/store.ts";
import { insertLeaseEvent, wasReported } from "../../lease/event-store.ts";
import { finishLease } from "../../lease/finish.ts";
import { outcomeOf } from "../../lease/state.ts";
import { type Lease, lockLease, updateLease } from "../../lease/store.ts";
import { accessSchema, wipeReceiptSchema } from "../../partition/signed.ts";
import { Refusal, refusal } from "../../refusal/refusal.ts";
import type { Report } from "../contract/agent.ts";
import type { Handler } from "../handler.ts";
import { verifyFromHost } from "./verify-from-host.ts";

/** Each report in a transaction of its own: one that is refused keeps none of the others back. */
export const report: Handler<"report"> = async (context, { caller, body }) => {
  const accepted: string[] = [];
  const refused: { reportId: string; code: string; message: string }[] = [];
  const now = context.clock.now();
  for (const one of body.reports) {
    try {
      await transaction(context.db, (tx) => apply(tx, caller, one, now));
      accepted.push(one.reportId);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      context.log.warn({ hostId: caller.hostId, report: one, err: error }, "refused a report");
      refused.push({ reportId: one.reportId, code: error.code, message: error.message });
    }
  }
  context.wake();
  return { accepted, refused };
};

async function apply(tx: Kysely<DB>, host: Host, report: Report, now: Date): Promise<void> {
  const lease = await lockLease(tx, report.leaseId);
  if (lease.hostId !== host.hostId)
    throw refusal("not-found", { what: "lease", id: lease.leaseId });
  if (lease.state === "booked") throw refusal("lease-not-granted", { leaseId: lease.leaseId });
  if (lease.state === "ended" || (await wasReported(tx, report.reportId))) return;
  const at = clampToPast(new Date(report.at), now);
  const event = { leaseId: lease.leaseId, kind: report.kind, reportId: report.reportId, at };
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
    case "failed":
      await insertLeaseEvent(tx, {
        ...event,
        reason: report.reason,
        detail: { message: report.message },
      });
      return;
    case "ending":
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
  const access = verifyFromHost(host, "sublet-access", accessJws, accessSchema);
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
  const receipt = verifyFromHost(host, "sublet-wipe-receipt", report.receiptJws, wipeReceiptSchema);
  if (
    receipt.leaseId !== lease.leaseId ||
    receipt.hostId !== host.hostId ||
    receipt.partitionId !== lease.partitionId
  ) {
    throw refusal("signature-refused", {
      code: "other-lease",
      message: "the wipe receipt is that of another lease, partition or host",
    });
  }
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
