import { ApiError } from "../api/client/error.ts";
import { type SeqRange, type UsageBatch, usageReceiptSchema } from "../meter/record.ts";
import {
  acknowledge,
  acknowledgedSeq,
  type PendingBatch,
  pendingBatches,
  sendAgain,
  sendMissing,
} from "../meter/spool-batch.ts";
import { sign, verify } from "../signature/envelope.ts";
import { keyRing } from "../signature/key.ts";
import { listChains } from "./capacity/chain-store.ts";
import type { JoinedContext } from "./context.ts";
import { readLease } from "./lease/store.ts";
import { listTrusted } from "./trust/store.ts";

/** So many are looked at in one pass; the rest follows in the next. */
const BATCHES_PER_PASS_MAX = 50;

/**
 * Sends signed batches of usage until a signed receipt covers them. A batch that the server refuses
 * is kept: it is the lender's income, and a person must look into it. Later batches of the same
 * chain wait behind it; other chains do not. Throws at the end when anything was refused.
 */
export async function sendUsageOnce(context: JoinedContext): Promise<void> {
  const signBatch = (batch: UsageBatch) => {
    const lease = readLease(context.db, batch.chainId);
    return sign("sublet-usage", batch, context.keys.of(lease));
  };
  const stuck = new Map<string, Error>();
  for (const batch of pendingBatches(context.db, signBatch, { limit: BATCHES_PER_PASS_MAX })) {
    if (stuck.has(batch.chainId)) continue;
    const refused = await sendBatch(context, batch);
    if (refused !== null) stuck.set(batch.chainId, refused);
  }
  const [first] = stuck.values();
  if (first !== undefined) throw first;
}

/** Null when it was taken. */
async function sendBatch(context: JoinedContext, batch: PendingBatch): Promise<Error | null> {
  const { batchId, chainId } = batch;
  try {
    const { receiptJws } = await context.server.client.call("sendUsage", {
      body: { usageJws: batch.jws },
    });
    return takeReceipt(context, batch, receiptJws);
  } catch (error) {
    const isRefusal = error instanceof ApiError && error.httpStatus < 500;
    if (!isRefusal || error.code === "not-authenticated") throw error;
    const fields = { batchId, chainId, code: error.code, reason: error.message };
    context.log.error(fields, "the server refused usage records; they are kept");
    return error;
  }
}

function takeReceipt(context: JoinedContext, batch: PendingBatch, receiptJws: string) {
  const signer = signerFor(context, batch.chainId);
  const verified = verify({
    jws: receiptJws,
    typ: "sublet-receipt",
    keys: signer.keys,
    schema: usageReceiptSchema,
  });
  const reason = verified.ok
    ? mismatch(context, batch, signer.iss, verified.payload)
    : verified.message;
  if (verified.ok && reason === null) {
    const { chainId, contiguousSeq } = verified.payload;
    if (contiguousSeq < acknowledgedSeq(context.db, chainId)) {
      context.log.warn({ chainId, contiguousSeq }, "the server has lost records; they go again");
      sendAgain(context.db, chainId, contiguousSeq);
    }
    const taken = acknowledge(context.db, verified.payload);
    if (taken.ok) {
      sendAskedFor(context, chainId, verified.payload.missing ?? []);
      return null;
    }
    return refuse(context, batch, taken.message);
  }
  return refuse(context, batch, reason ?? "");
}

/** Leases are the server's; enabled capacity is its provider's, who signs with keys of its own. */
function signerFor({ db, server, serverKeys }: JoinedContext, chainId: string) {
  const chain = listChains(db).find((one) => one.chainId === chainId);
  if (chain === undefined) return { iss: server.joined.serverId, keys: serverKeys };
  const trusted = listTrusted(db).find(({ providerId }) => providerId === chain.providerId);
  return { iss: chain.providerId, keys: keyRing(trusted?.keys ?? []) };
}

/** Numbers that the server lacks go again, as far as they are still here. */
export function sendAskedFor(
  context: JoinedContext,
  chainId: string,
  missing: readonly SeqRange[],
): void {
  if (missing.length === 0) return;
  const { again, lost } = sendMissing(context.db, chainId, missing);
  const fields = { chainId, missing, again, lost };
  if (again > 0) context.log.warn(fields, "the server lacks records; they go again");
  // It is asked until they come, and these never will: the bill names them.
  else if (lost > 0) context.log.debug(fields, "the server asks for records that are not here");
}

function mismatch(
  context: JoinedContext,
  batch: PendingBatch,
  iss: string,
  receipt: { iss: string; aud: string; batchId: string; chainId: string },
): string | null {
  if (receipt.iss !== iss) return `it is from ${receipt.iss}`;
  if (receipt.aud !== context.server.joined.hostId) return `it is for ${receipt.aud}`;
  const isSame = receipt.batchId === batch.batchId && receipt.chainId === batch.chainId;
  return isSame ? null : `it is for ${receipt.batchId} of ${receipt.chainId}`;
}

function refuse(context: JoinedContext, { batchId, chainId }: PendingBatch, reason: string): Error {
  context.log.error({ batchId, chainId, reason }, "a receipt was refused; the records are kept");
  return new Error(`the receipt for ${batchId} was refused: ${reason}`);
}
