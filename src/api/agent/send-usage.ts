import type { Kysely } from "kysely";
import { transaction } from "../../database/transaction.ts";
import type { DB } from "../../database/types.ts";
import { readOwnGrant } from "../../enablement/grant.ts";
import { wasToldOfBatch } from "../../host/event-store.ts";
import { findHostKey } from "../../host/key-store.ts";
import { type Host, insertHostEventOnce } from "../../host/store.ts";
import { lockLease } from "../../lease/store.ts";
import { decideIngest, neighbouringSeqs } from "../../meter/ingest.ts";
import { type UsageBatch, type UsageReceipt, usageBatchSchema } from "../../meter/record.ts";
import { insertRecords, readContiguousSeq, readRecords } from "../../meter/record-store.ts";
import { Refusal, refusal } from "../../refusal/refusal.ts";
import { claimedKid, sign, verify } from "../../signature/envelope.ts";
import { keyRing } from "../../signature/key.ts";
import { isId } from "../../unit/id.ts";
import type { Handler } from "../handler.ts";

export const sendUsage: Handler<"sendUsage"> = async (context, { caller, body: { usageJws } }) => {
  const now = context.clock.now();
  const sent = await readBatch(context.db.kysely, caller, usageJws);
  const { batch } = sent;
  let contiguousSeq: number;
  try {
    contiguousSeq = await transaction(context.db, (tx) => take(tx, caller, sent, now));
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
    contiguousSeq,
    receivedAt: now.toISOString(),
  };
  return { receiptJws: sign("sublet-receipt", receipt, context.keys.current) };
};

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
): Promise<number> {
  const { chainId } = batch;
  if (!isId("lease", chainId)) {
    throw refusal("not-found", { what: "chain of a capacity code", id: chainId });
  }
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
    if (lease.billId !== null) {
      throw refusal("bill-closed", { chainId: batch.chainId, billId: lease.billId });
    }
    await insertRecords(tx, { batch, jws, records: decision.fresh, now });
  }
  return readContiguousSeq(tx, batch.chainId);
}

/** A host that sends other content under an old number is something that a person must see. */
async function flag(
  { db, log }: { db: { kysely: Kysely<DB> }; log: { error: (o: object, m: string) => void } },
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
}
