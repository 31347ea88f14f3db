import type { ActsReceipt } from "../../enablement/capacity/act.ts";
import { actsReceiptSchema } from "../../enablement/capacity/act.ts";
import {
  type ReceiptFile,
  type ReportFile,
  reportFileSchema,
} from "../../enablement/capacity/report-file.ts";
import { type UsageBatch, type UsageReceipt, usageReceiptSchema } from "../../meter/record.ts";
import { acknowledge, pendingBatches } from "../../meter/spool-batch.ts";
import { inTransaction } from "../../meter/transaction.ts";
import { Refusal, refusal } from "../../refusal/refusal.ts";
import { sign, verify } from "../../signature/envelope.ts";
import { keyRing } from "../../signature/key.ts";
import { newId, type PartyId } from "../../unit/id.ts";
import type { AgentContext } from "../context.ts";
import { readLease } from "../lease/store.ts";
import { readPinned } from "../trust/store.ts";
import { actHead, listActs } from "./act-store.ts";
import {
  type ActsBatchRow,
  forgetActsBatches,
  insertActsBatch,
  listActsBatches,
} from "./acts-batch-store.ts";
import { listChains } from "./chain-store.ts";
import { tellCapacityTime } from "./clock-store.ts";
import { hostIdOf } from "./host.ts";
import { readProvider, writeProvider } from "./provider-store.ts";

/** Some 200 kB as JWS. */
const ACTS_PER_BATCH_MAX = 200;
/** More than a year of many meters. */
const USAGE_BATCHES_MAX = 5_000;

/**
 * The acts that a provider has given no receipt for, signed and stored before they are handed out;
 * the same text again until a receipt covers it.
 */
export function pendingActs(context: AgentContext, providerId: PartyId): readonly ActsBatchRow[] {
  const { db, keys } = context;
  const hostId = hostIdOf(context);
  return inTransaction(db, () => {
    const now = tellCapacityTime(context);
    const { actsReceipted } = readProvider(db, providerId);
    const before = listActsBatches(db, providerId, actsReceipted);
    const head = actHead(db, hostId);
    let from = Math.max(actsReceipted, before.at(-1)?.lastSeq ?? 0) + 1;
    while (from <= head.seq) {
      const acts = listActs(db, from, ACTS_PER_BATCH_MAX);
      const batchId = newId("batch", now.atMs);
      const batch = {
        ...{ batchId, hostId, acts: [...acts] },
        head: { ...head, at: now.at, runNs: now.runNs.toString() },
      };
      const lastSeq = from + acts.length - 1;
      const jws = sign("sublet-acts", batch, keys.current());
      insertActsBatch(db, providerId, { batchId, firstSeq: from, lastSeq, jws });
      from = lastSeq + 1;
    }
    return listActsBatches(db, providerId, actsReceipted);
  });
}

/** All that a provider has given no receipt for, as one file. */
export function exportReport(context: AgentContext, providerId: PartyId): ReportFile {
  const { db, keys } = context;
  const hostId = hostIdOf(context);
  const now = inTransaction(db, () => tellCapacityTime(context));
  const own = new Set(
    listChains(db)
      .filter((chain) => chain.providerId === providerId)
      .map(({ chainId }) => chainId as string),
  );
  const signBatch = (batch: UsageBatch) =>
    sign("sublet-usage", batch, keys.of(readLease(db, batch.chainId)));
  const usage = pendingBatches(db, signBatch, { limit: USAGE_BATCHES_MAX }).filter(({ chainId }) =>
    own.has(chainId),
  );
  return reportFileSchema.parse({
    ...{ kind: "sublet-capacity-report", version: 1, hostId, providerId, writtenAt: now.at },
    acts: pendingActs(context, providerId).map(({ jws }) => jws),
    usage: usage.map(({ jws }) => jws),
  });
}

export interface Imported {
  /** Acts and records that are now receipted and were not before. */
  readonly acts: number;
  readonly records: number;
}

/** Takes a provider's receipts: all of the file, or nothing of it. Again it changes nothing. */
export function importReceipts(context: AgentContext, file: ReceiptFile): Imported | Refusal {
  const { db } = context;
  if (file.hostId !== hostIdOf(context)) {
    return refusal("receipt-refused", { message: `they are for ${file.hostId}` });
  }
  try {
    return inTransaction(db, () => {
      let [acts, records] = [0, 0];
      for (const jws of file.receipts) {
        const taken = takeReceipt(context, file.providerId, jws);
        // Thrown, so that nothing of the file is kept.
        if (taken instanceof Refusal) throw taken;
        acts += taken.acts;
        records += taken.records;
      }
      return { acts, records };
    });
  } catch (error) {
    if (error instanceof Refusal) return error;
    throw error;
  }
}

/** One receipt, of acts or of records, by the provider's pinned key, trusted or not. */
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
  { iss, aud, contiguousSeq }: ActsReceipt,
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
  const { actsReceipted } = readProvider(db, providerId);
  if (contiguousSeq <= actsReceipted) return { acts: 0, records: 0 };
  writeProvider(db, providerId, { actsReceipted: contiguousSeq });
  forgetActsBatches(db, providerId, contiguousSeq);
  return { acts: contiguousSeq - actsReceipted, records: 0 };
}

function takeUsage(
  { db }: AgentContext,
  providerId: PartyId,
  receipt: UsageReceipt,
): Imported | Refusal {
  const chain = listChains(db).find(({ chainId }) => chainId === receipt.chainId);
  if (receipt.iss !== providerId || chain?.providerId !== providerId) {
    const message = `one is from ${receipt.iss} for ${receipt.chainId}`;
    return refusal("receipt-refused", { message });
  }
  const taken = acknowledge(db, receipt);
  if (!taken.ok) return refusal("receipt-refused", { message: taken.message });
  return { acts: 0, records: taken.newlyAcknowledged };
}
