import type { Kysely } from "kysely";
import { transaction } from "../../database/transaction.ts";
import type { DB } from "../../database/types.ts";
import { type Host, insertHostEvent } from "../../host/store.ts";
import { lockLease } from "../../lease/store.ts";
import { decideIngest, neighbouringSeqs } from "../../meter/ingest.ts";
import { type UsageBatch, type UsageReceipt, usageBatchSchema } from "../../meter/record.ts";
import { insertRecords, readContiguousSeq, readRecords } from "../../meter/record-store.ts";
import { Refusal, refusal } from "../../refusal/refusal.ts";
import { sign } from "../../signature/envelope.ts";
import type { Handler } from "../handler.ts";
import { verifyFromHost } from "./verify-from-host.ts";

export const sendUsage: Handler<"sendUsage"> = async (context, { caller, body: { usageJws } }) => {
  const now = context.clock.now();
  const batch = verifyFromHost(caller, "sublet-usage", usageJws, usageBatchSchema);
  if (batch.hostId !== caller.hostId) {
    throw refusal("signature-refused", {
      code: "other-host",
      message: "the batch names another host",
    });
  }
  let contiguousSeq: number;
  try {
    contiguousSeq = await transaction(context.db, (tx) => take(tx, caller, batch, usageJws, now));
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

async function take(
  tx: Kysely<DB>,
  host: Host,
  batch: UsageBatch,
  jws: string,
  now: Date,
): Promise<number> {
  const lease = await lockLease(tx, batch.chainId);
  if (lease.hostId !== host.hostId || lease.grantJws === null) {
    throw refusal("not-found", { what: "lease", id: batch.chainId });
  }
  const stored = await readRecords(tx, batch.chainId, neighbouringSeqs(batch));
  const seqFinal = lease.usageSeqFinal === null ? null : Number(lease.usageSeqFinal);
  const terms = { ...lease, grantJws: lease.grantJws, seqFinal };
  const decision = decideIngest(batch, terms, stored);
  if (!decision.ok) {
    const { chainId } = batch;
    const { seq } = decision;
    throw decision.code === "conflict"
      ? refusal("record-conflict", { chainId, seq })
      : refusal("record-refused", { chainId, seq, message: decision.message });
  }
  if (decision.fresh.length > 0) {
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
  await insertHostEvent(db.kysely, { hostId: host.hostId, kind: "usage-refused", detail, now });
}
