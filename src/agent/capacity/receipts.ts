import {
  type ActsReceipt,
  actsBatchSchema,
  actsReceiptSchema,
} from "../../enablement/capacity/act.ts";
import type { ReceiptFile } from "../../enablement/capacity/report-file.ts";
import { type UsageReceipt, usageReceiptSchema } from "../../meter/record.ts";
import { acknowledge, acknowledgedSeq, sendAgain, sendMissing } from "../../meter/spool-batch.ts";
import { inTransaction } from "../../meter/transaction.ts";
import { Refusal, refusal } from "../../refusal/refusal.ts";
import { claimedPayload, verify } from "../../signature/envelope.ts";
import { keyRing } from "../../signature/key.ts";
import type { ChainId, PartyId } from "../../unit/id.ts";
import type { AgentContext } from "../context.ts";
import { readPinned } from "../trust/store.ts";
import { actHead, listActs } from "./act-store.ts";
import {
  findActsBatch,
  forgetActsBatches,
  forgetAllActsBatches,
  forgetHeads,
} from "./acts-batch-store.ts";
import { lastSeqBefore, listChains, noteReceipt } from "./chain-store.ts";
import { proveAhead, tellCapacityTime } from "./clock-store.ts";
import { hostIdOf } from "./host.ts";
import { readProvider, writeProvider } from "./provider-store.ts";

export interface Imported {
  /** Acts and records that are now receipted and were not before. */
  readonly acts: number;
  readonly records: number;
  /** Acts and records that the provider had, lacks now, and gets with the next report. */
  readonly again: number;
}

/** Records go on line by themselves: some came to the provider long after the acts beside them. */
const LAG_MS = 86_400_000;

/** Takes a provider's receipts: all of the file, or nothing of it. Again it changes nothing. */
export function importReceipts(context: AgentContext, file: ReceiptFile): Imported | Refusal {
  const { db } = context;
  if (file.hostId !== hostIdOf(context)) {
    return refusal("receipt-refused", { message: `they are for ${file.hostId}` });
  }
  try {
    return inTransaction(db, () => {
      let [acts, records, again] = [0, 0, 0];
      for (const jws of file.receipts) {
        const taken = takeReceipt(context, file.providerId, jws);
        // Thrown, so that nothing of the file is kept.
        if (taken instanceof Refusal) throw taken;
        acts += taken.acts;
        records += taken.records;
        again += taken.again;
      }
      return { acts, records, again };
    });
  } catch (error) {
    if (error instanceof Refusal) return error;
    throw error;
  }
}

/**
 * One receipt, of acts or of records, by the provider's pinned key. Receipts come in any order and
 * more than once; one that the provider gave later than any before, and that covers less, says that
 * it has lost something: an older database was restored there. What it lacks goes again.
 */
export function takeReceipt(
  context: AgentContext,
  providerId: PartyId,
  jws: string,
): Imported | Refusal {
  const pinned = readPinned(context.db, providerId);
  if (pinned === null) return refusal("provider-not-trusted", { providerId });
  const keys = keyRing(pinned.keys);
  const ofActs = verify({ jws, keys, typ: "sublet-acts-receipt", schema: actsReceiptSchema });
  if (ofActs.ok) return takeActs(context, providerId, ofActs.payload);
  const ofUsage = verify({ jws, keys, typ: "sublet-receipt", schema: usageReceiptSchema });
  if (ofUsage.ok) return takeUsage(context, providerId, ofUsage.payload);
  const { message } = ofActs.code === "wrong-type" ? ofUsage : ofActs;
  return refusal("receipt-refused", { message });
}

function takeActs(
  context: AgentContext,
  providerId: PartyId,
  { iss, aud, batchId, contiguousSeq, receivedAt }: ActsReceipt,
): Imported | Refusal {
  const { db } = context;
  const hostId = hostIdOf(context);
  if (iss !== providerId || aud !== hostId) {
    return refusal("receipt-refused", { message: `one is from ${iss} for ${aud}` });
  }
  const head = actHead(db, hostId);
  if (contiguousSeq > head.seq) {
    const message = `one covers act ${contiguousSeq}, and only ${head.seq} were written here: was this agent's state set back?`;
    return refusal("receipt-refused", { message });
  }
  return inTransaction(db, () => {
    const batch = findActsBatch(db, providerId, batchId);
    if (batch !== null) {
      proveAhead(context, actsBatchSchema.parse(claimedPayload(batch.jws)).head, receivedAt);
      forgetHeads(db, providerId, batchId);
    }
    const { actsReceipted: before, receiptedAt } = readProvider(db, providerId);
    const isLost = contiguousSeq < before && isLater(receivedAt, receiptedAt);
    const actsReceipted = isLost ? contiguousSeq : Math.max(before, contiguousSeq);
    const headAt = tellCapacityTime(context).at;
    const at = laterOf(receivedAt, receiptedAt);
    writeProvider(db, providerId, { actsReceipted, receiptedAt: at, headAt });
    if (isLost) return { acts: 0, records: 0, again: sendLost(context, providerId, before) };
    forgetActsBatches(db, providerId, actsReceipted);
    return { acts: actsReceipted - before, records: 0, again: 0 };
  });
}

/** Acts from the receipted one on, and every record since then: a chain that is over is not asked for. */
function sendLost({ db, log }: AgentContext, providerId: PartyId, before: number): number {
  const { actsReceipted } = readProvider(db, providerId);
  forgetAllActsBatches(db, providerId);
  const [last] = actsReceipted === 0 ? [] : listActs(db, actsReceipted, 1);
  const sinceMs = last === undefined ? 0 : Date.parse(last.record.at) - LAG_MS;
  let again = before - actsReceipted;
  for (const { chainId } of listChains(db).filter((chain) => chain.providerId === providerId)) {
    const seq = lastSeqBefore(db, chainId, new Date(sinceMs).toISOString());
    again += sendChainAgain(db, chainId, seq);
  }
  log.warn({ providerId, actsReceipted, before }, "a provider has lost acts; they go again");
  return again;
}

function sendChainAgain(db: AgentContext["db"], chainId: ChainId, seq: number): number {
  const acknowledged = acknowledgedSeq(db, chainId);
  if (seq < acknowledged) sendAgain(db, chainId, seq);
  return Math.max(0, acknowledged - seq);
}

function takeUsage(
  { db, log }: AgentContext,
  providerId: PartyId,
  receipt: UsageReceipt,
): Imported | Refusal {
  const chain = listChains(db).find(({ chainId }) => chainId === receipt.chainId);
  if (receipt.iss !== providerId || chain?.providerId !== providerId) {
    const message = `one is from ${receipt.iss} for ${receipt.chainId}`;
    return refusal("receipt-refused", { message });
  }
  const { chainId, receiptedAt } = chain;
  const { contiguousSeq, receivedAt, missing = [] } = receipt;
  const isNews = isLater(receivedAt, receiptedAt);
  return inTransaction(db, () => {
    const lost = isNews ? sendChainAgain(db, chainId, contiguousSeq) : 0;
    const taken = acknowledge(db, receipt);
    if (!taken.ok) return refusal("receipt-refused", { message: taken.message });
    const asked = isNews ? sendMissing(db, chainId, missing).again : 0;
    const at = laterOf(receivedAt, receiptedAt);
    noteReceipt(db, chainId, { receiptedAt: at, receiptedSeq: contiguousSeq });
    const again = lost + asked;
    if (again > 0)
      log.warn({ chainId, contiguousSeq, again }, "a provider lacks records; they go again");
    return { acts: 0, records: taken.newlyAcknowledged, again };
  });
}

/** Of two instants by the provider's clock. The first ever tells of no loss. */
function isLater(at: string, before: string | null): boolean {
  return before !== null && Date.parse(at) > Date.parse(before);
}

function laterOf(at: string, before: string | null): string {
  return before === null || isLater(at, before) ? at : before;
}
