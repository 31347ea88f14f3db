import type { Kysely } from "kysely";
import { noteLateUsage } from "../../billing/bill-store.ts";
import { transaction } from "../../database/transaction.ts";
import type { DB } from "../../database/types.ts";
import { readOwnGrant } from "../../enablement/grant.ts";
import { wasToldOfBatch } from "../../host/event-store.ts";
import { findHostKey } from "../../host/key-store.ts";
import { type Host, insertHostEventOnce } from "../../host/store.ts";
import { insertLeaseEvent } from "../../lease/event-store.ts";
import { findLease, lockLease } from "../../lease/store.ts";
import { decideIngest, neighbouringSeqs } from "../../meter/ingest.ts";
import { type UsageBatch, type UsageReceipt, usageBatchSchema } from "../../meter/record.ts";
import {
  insertRecords,
  readContiguousSeq,
  readMissing,
  readRecords,
} from "../../meter/record-store.ts";
import { Refusal, refusal } from "../../refusal/refusal.ts";
import { claimedKid, claimedPayload, sign, verify } from "../../signature/envelope.ts";
import { keyRing } from "../../signature/key.ts";
import { isId } from "../../unit/id.ts";
import { takeCapacityUsage } from "../capacity/take-usage.ts";
import type { ServerContext } from "../context.ts";
import type { Handler } from "../handler.ts";

export const sendUsage: Handler<"sendUsage"> = async (context, { caller, body: { usageJws } }) => {
  const chain = usageBatchSchema.safeParse(claimedPayload(usageJws));
  if (chain.success && isId("chain", chain.data.chainId)) {
    const receiptJws = await takeCapacityUsage(context, caller.hostId, usageJws);
    context.wake();
    return { receiptJws };
  }
  const now = context.clock.now();
  const sent = await readBatch(context.db.kysely, caller, usageJws);
  const { batch } = sent;
  let known: Known;
  try {
    known = await transaction(context.db, (tx) => take(tx, caller, sent, now));
  } catch (error) {
    if (error instanceof Refusal) await flag(context, caller, batch, error, now);
    throw error;
  }
  context.wake();
  const receipt: UsageReceipt = {
    iss: context.serverId,
    aud: caller.hostId,
    batchId: batch.batchId,
    chainId: batch.chainId,
    ...known,
    receivedAt: now.toISOString(),
  };
  return { receiptJws: sign("sublet-receipt", receipt, context.keys.current) };
};

type Known = Pick<UsageReceipt, "contiguousSeq" | "missing">;

interface SentBatch {
  readonly batch: UsageBatch;
  readonly jws: string;
  readonly kid: string;
}

/** Signed by a key that this host has or had; whether by the one of the lease is seen later. */
async function readBatch(db: Kysely<DB>, host: Host, jws: string): Promise<SentBatch> {
  const key = await findHostKey(db, claimedKid(jws) ?? "");
  const keys = keyRing(key?.hostId === host.hostId ? [key.jwk] : []);
  const verified = verify({ jws, typ: "sublet-usage", keys, schema: usageBatchSchema });
  if (!verified.ok) {
    throw refusal("signature-refused", { code: verified.code, message: verified.message });
  }
  const { payload: batch, kid } = verified;
  if (batch.hostId === host.hostId) return { batch, jws, kid };
  throw refusal("signature-refused", {
    code: "other-host",
    message: "the batch names another host",
  });
}

async function take(
  tx: Kysely<DB>,
  host: Host,
  { batch, jws, kid }: SentBatch,
  now: Date,
): Promise<Known> {
  const { chainId } = batch;
  if (!isId("lease", chainId)) throw refusal("not-found", { what: "lease", id: chainId });
  const lease = await lockLease(tx, chainId);
  if (lease.hostId !== host.hostId || lease.grantJws === null) {
    throw refusal("not-found", { what: "lease", id: batch.chainId });
  }
  if (kid !== readOwnGrant(lease.grantJws).agentKeyThumbprint) {
    throw refusal("signature-refused", {
      code: "other-key",
      message: "the lease was granted under another key of this host",
    });
  }
  const stored = await readRecords(tx, batch.chainId, neighbouringSeqs(batch));
  const seqFinal = lease.usageSeqFinal === null ? null : Number(lease.usageSeqFinal);
  const terms = { ...lease, grantJws: lease.grantJws, seqFinal };
  const decision = decideIngest(batch, terms, stored);
  if (!decision.ok) {
    const { seq } = decision;
    throw decision.code === "conflict"
      ? refusal("record-conflict", { chainId, seq })
      : refusal("record-refused", { chainId, seq, message: decision.message });
  }
  if (decision.fresh.length > 0) {
    await insertRecords(tx, { batch, jws, records: decision.fresh, now });
    if (lease.billId !== null) await noteLateUsage(tx, lease.leaseId, now);
  }
  const missing = await readMissing(tx, batch.chainId, lease.usageSeqFinal);
  const contiguousSeq = await readContiguousSeq(tx, batch.chainId);
  return { contiguousSeq, ...(missing.length > 0 ? { missing } : {}) };
}

/** A host that sends other content under an old number is something that a person must see. */
async function flag(
  { db, log }: Pick<ServerContext, "db" | "log">,
  host: Host,
  { chainId, batchId }: UsageBatch,
  error: Refusal,
  now: Date,
): Promise<void> {
  const detail = { chainId, batchId, code: error.code, message: error.message };
  log.error({ hostId: host.hostId, ...detail }, "refused a usage batch");
  // The agent asks again and again; it is one event.
  if (await wasToldOfBatch(db.kysely, host.hostId, { batchId, code: error.code })) return;
  await insertHostEventOnce(db.kysely, { hostId: host.hostId, kind: "usage-refused", detail, now });
  if (!isId("lease", chainId)) return;
  await transaction(db, async (tx) => {
    const lease = await findLease(tx, chainId);
    if (lease?.hostId !== host.hostId) return;
    await lockLease(tx, chainId);
    await insertLeaseEvent(tx, { leaseId: chainId, kind: "usage-refused", detail, at: now });
  });
}
