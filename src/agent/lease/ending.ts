import { chainOrigin } from "../../meter/chain.ts";
import { chainEnd } from "../../meter/spool.ts";
import { inTransaction } from "../../meter/transaction.ts";
import type { WipeEvidence } from "../../partition/driver.ts";
import type { WipeReceipt } from "../../partition/signed.ts";
import { sign } from "../../signature/envelope.ts";
import { sha256Hex } from "../../unit/canonical.ts";
import { releasePartition } from "../allocation/apply.ts";
import { retireLease, returnLease } from "../capacity/lease-end.ts";
import { type AgentContext, instantNow } from "../context.ts";
import { doesGuestAnswer, storeFinalReading } from "../metering.ts";
import { queueReport } from "../report/store.ts";
import { forgetErased } from "../state/store.ts";
import { changeLease, type LeaseRow } from "./store.ts";

/** Effects on the way from an end's reason to the tombstone. */

/** The grant was refused or cannot be run. The lease goes on to its end and wipe like any other. */
export function fail(
  context: AgentContext,
  lease: LeaseRow,
  failure: { readonly reason: string; readonly message: string },
): void {
  const reason = failure.reason.slice(0, 64);
  inTransaction(context.db, () => {
    const message = failure.message.slice(0, 2000);
    const change = { endReason: reason, failure: message, failures: 0, retryAtNs: null };
    changeLease(context.db, lease.leaseId, change);
    queueReport(context.db, aboutNow(context, lease), { kind: "failed", reason, message });
  });
  context.log.error({ leaseId: lease.leaseId, ...failure }, "a lease failed");
}

export function beginEnd(context: AgentContext, lease: LeaseRow, reason: string): void {
  inTransaction(context.db, () => {
    changeLease(context.db, lease.leaseId, { stage: "stopping", endReason: reason });
    queueReport(context.db, aboutNow(context, lease), { kind: "ending", reason });
  });
  context.tunnels.endLease(lease.leaseId);
  context.log.info({ leaseId: lease.leaseId, reason }, "a lease ends");
}

/**
 * The last reading is of the guest while it still runs: what it did until now is delivered, and its
 * stop is no longer the lease's time.
 */
export async function stop(context: AgentContext, lease: LeaseRow): Promise<void> {
  if (chainEnd(context.db, lease.leaseId)?.closed === false) {
    const observation = await context.driver.observe(lease.leaseId);
    const answered = await doesGuestAnswer(context, lease, observation);
    storeFinalReading(context, lease, observation, answered);
  }
  await retireLease(context, lease.leaseId);
  await context.driver.stop(lease.leaseId, context.config.stopGraceMs);
  changeLease(context.db, lease.leaseId, { stage: "stopped" });
}

/** No process is left: the chain gets its final record, and what was enabled is out of service. */
export async function close(context: AgentContext, lease: LeaseRow): Promise<void> {
  await returnLease(context, lease.leaseId);
  const observation = await context.driver.observe(lease.leaseId);
  inTransaction(context.db, () => {
    if (chainEnd(context.db, lease.leaseId)?.closed === false) {
      storeFinalReading(context, lease, observation, false);
    }
    changeLease(context.db, lease.leaseId, { stage: "closed" });
  });
}

/** The receipt is signed only when the driver itself no longer finds anything of the guest. */
export async function wipe(context: AgentContext, lease: LeaseRow): Promise<void> {
  const { db, driver } = context;
  const evidence = await driver.wipe(lease.leaseId);
  if ((await driver.list()).includes(lease.leaseId)) {
    throw new Error(`something of ${lease.leaseId} is left after its wipe`);
  }
  const receipt = wipeReceipt(context, lease, evidence);
  // Also of an own guest, whose owner is the only one who may see it.
  const receiptJws = sign("sublet-wipe-receipt", receipt, context.keys.of(lease));
  inTransaction(db, () => {
    if (lease.cores.length > 0) releasePartition(db, lease.partitionId);
    queueReport(db, aboutNow(context, lease), { kind: "wiped", receiptJws });
    changeLease(db, lease.leaseId, {
      stage: "wiped",
      receiptJws,
      cores: [],
      uid: null,
      port: null,
      hostKeyPrivate: null,
      hostKeyPublic: null,
    });
  });
  forgetErased(db);
  context.log.info({ leaseId: lease.leaseId, ...evidence }, "a guest is wiped");
}

/**
 * A tombstone stays, or a late copy of the grant would run the lease again. With the grant as it
 * was: a server that is set back and grants anew learns from it what the records hang on.
 */
export function forget(context: AgentContext, lease: LeaseRow): void {
  changeLease(context.db, lease.leaseId, {
    stage: "done",
    granted: null,
    endJws: null,
  });
}

function wipeReceipt(context: AgentContext, lease: LeaseRow, evidence: WipeEvidence): WipeReceipt {
  const end = chainEnd(context.db, lease.leaseId);
  const isGranted = lease.granted !== null && lease.grantJws !== null;
  return {
    leaseId: lease.leaseId,
    hostId: context.host.hostId,
    partitionId: lease.partitionId,
    grantJti: lease.granted?.jti ?? null,
    wipedAt: instantNow(context),
    files: evidence.files,
    bytes: evidence.bytes,
    finalSeq: end?.finalSeq ?? 0,
    finalHash:
      end?.finalHash ?? (isGranted ? chainOrigin(lease.grantJws) : sha256Hex(lease.leaseId)),
    reason: lease.endReason ?? "ended",
  };
}

function aboutNow(context: AgentContext, lease: LeaseRow) {
  return { leaseId: lease.leaseId, at: instantNow(context) };
}
