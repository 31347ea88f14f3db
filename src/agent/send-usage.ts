import { ApiError } from "../api/client/error.ts";
import { type SeqRange, type UsageBatch, usageReceiptSchema } from "../meter/record.ts";
import {
  acknowledge,
  acknowledgedSeq,
  noteRefused,
  type PendingBatch,
  pendingBatches,
  sendAgain,
  sendMissing,
} from "../meter/spool-batch.ts";
import { Refusal } from "../refusal/refusal.ts";
import { sign, verify } from "../signature/envelope.ts";
import { isId } from "../unit/id.ts";
import { takeReceipt as takeProvidersReceipt } from "./capacity/receipts.ts";
import { signerOf } from "./capacity/send-acts.ts";
import type { JoinedContext } from "./context.ts";
import { readLease } from "./lease/store.ts";

/** So many are looked at in one pass; the rest follows in the next. */
const BATCHES_PER_PASS_MAX = 50;

/**
 * Sends signed batches of usage until a signed receipt covers them. A batch that the server refuses
 * is kept: it is the lender's income, and a person must look into it; or it is a provider's that is
 * reached by files alone. Later batches of the same chain wait behind it; other chains do not, and
 * go first from then on. Throws at the end when anything was refused.
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
    if (!(error instanceof ApiError) || error.code === "not-authenticated") throw error;
    if (error.httpStatus > 500) throw error;
    const isNew = noteRefused(context.db, chainId);
    // What the server does wrong may be of this batch alone: the next pass begins elsewhere.
    if (error.httpStatus === 500) throw error;
    const fields = { batchId, chainId, code: error.code, reason: error.message };
    if (isNew) context.log.error(fields, "the server refused usage records; they are kept");
    return error;
  }
}

function takeReceipt(
  context: JoinedContext,
  batch: PendingBatch,
  receiptJws: string,
): Error | null {
  // Enabled capacity is its provider's to receipt, with a key that the host's owner has pinned.
  if (isId("chain", batch.chainId)) return takeProviders(context, batch, receiptJws);
  const verified = verify({
    jws: receiptJws,
    typ: "sublet-receipt",
    keys: context.serverKeys,
    schema: usageReceiptSchema,
  });
  const reason = verified.ok ? mismatch(context, batch, verified.payload) : verified.message;
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

function takeProviders(
  context: JoinedContext,
  batch: PendingBatch,
  receiptJws: string,
): Error | null {
  const signer = signerOf(receiptJws);
  if (signer === null) return refuse(context, batch, "it names no provider");
  const taken = takeProvidersReceipt(context, signer, receiptJws);
  return taken instanceof Refusal ? refuse(context, batch, taken.message) : null;
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
  receipt: { iss: string; aud: string; batchId: string; chainId: string },
): string | null {
  if (receipt.iss !== context.server.joined.serverId) return `it is from ${receipt.iss}`;
  if (receipt.aud !== context.server.joined.hostId) return `it is for ${receipt.aud}`;
  const isSame = receipt.batchId === batch.batchId && receipt.chainId === batch.chainId;
  return isSame ? null : `it is for ${receipt.batchId} of ${receipt.chainId}`;
}

function refuse(context: JoinedContext, { batchId, chainId }: PendingBatch, reason: string): Error {
  const isNew = noteRefused(context.db, chainId);
  const fields = { batchId, chainId, reason };
  if (isNew) context.log.error(fields, "a receipt was refused; the records are kept");
  return new Error(`the receipt for ${batchId} was refused: ${reason}`);
}
