import { type ReportFile, reportFileSchema } from "../../enablement/capacity/report-file.ts";
import type { UsageBatch } from "../../meter/record.ts";
import { pendingBatches } from "../../meter/spool-batch.ts";
import { inTransaction } from "../../meter/transaction.ts";
import { sign } from "../../signature/envelope.ts";
import { newId, type PartyId } from "../../unit/id.ts";
import type { AgentContext } from "../context.ts";
import { readLease } from "../lease/store.ts";
import { actHead, listActs } from "./act-store.ts";
import { type ActsBatchRow, insertActsBatch, listActsBatches } from "./acts-batch-store.ts";
import { listChains } from "./chain-store.ts";
import { tellCapacityTime } from "./clock-store.ts";
import { hostIdOf } from "./host.ts";
import { readProvider } from "./provider-store.ts";

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

/**
 * Where the ledger stands now, signed: of a host that did nothing it shows that it is alive, and
 * whether its state was set back. Each is another one; none is kept.
 */
export function presentHead(context: AgentContext): string {
  const { db, keys } = context;
  const hostId = hostIdOf(context);
  const { at, atMs, runNs } = inTransaction(db, () => tellCapacityTime(context));
  const head = { ...actHead(db, hostId), at, runNs: runNs.toString() };
  const batch = { batchId: newId("batch", atMs), hostId, acts: [], head };
  return sign("sublet-acts", batch, keys.current());
}

/** All that a provider has given no receipt for, as one file, and where the ledger stands now. */
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
  const acts = pendingActs(context, providerId).map(({ jws }) => jws);
  return reportFileSchema.parse({
    ...{ kind: "sublet-capacity-report", version: 1, hostId, providerId, writtenAt: now.at },
    acts: [...acts, presentHead(context)],
    usage: usage.map(({ jws }) => jws),
  });
}
