import { type ReportFile, reportFileSchema } from "../../enablement/capacity/report-file.ts";
import type { UsageBatch } from "../../meter/record.ts";
import { nextBatches } from "../../meter/spool-batch.ts";
import { inTransaction } from "../../meter/transaction.ts";
import { sign } from "../../signature/envelope.ts";
import { newId, type PartyId } from "../../unit/id.ts";
import type { AgentContext } from "../context.ts";
import { readLease } from "../lease/store.ts";
import { actHead, listActs } from "./act-store.ts";
import { type ActsBatchRow, insertActsBatch, listActsBatches } from "./acts-batch-store.ts";
import { listChains } from "./chain-store.ts";
import { type CapacityNow, CLOCKS_DIFFER_MS, tellCapacityTime } from "./clock-store.ts";
import { hostIdOf } from "./host.ts";
import { readProvider } from "./provider-store.ts";

/** Some 200 kB as JWS. */
const ACTS_PER_BATCH_MAX = 200;
/** Some 5 MB, signed in a fraction of a second. */
const BATCHES_PER_PART = 20;

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

/** The time of events is later than this computer's clock, so one of them is wrong. */
export function isAhead({ time }: AgentContext, now: CapacityNow): boolean {
  return now.atMs - time.nowMs() > CLOCKS_DIFFER_MS;
}

/**
 * Where the ledger stands now, signed: of a host that did nothing it shows that it is alive, and
 * whether its state was set back. Each is another one. It is kept where the time of events is ahead:
 * its receipt tells what the time was by the provider's clock, and so by how much.
 */
export function presentHead(context: AgentContext, providerId: PartyId): string {
  const { db, keys } = context;
  const hostId = hostIdOf(context);
  return inTransaction(db, () => {
    const now = tellCapacityTime(context);
    const head = { ...actHead(db, hostId), at: now.at, runNs: now.runNs.toString() };
    const batchId = newId("batch", now.atMs);
    const jws = sign("sublet-acts", { batchId, hostId, acts: [], head }, keys.current());
    const [firstSeq, lastSeq] = [head.seq + 1, head.seq];
    if (isAhead(context, now)) insertActsBatch(db, providerId, { batchId, firstSeq, lastSeq, jws });
    return jws;
  });
}

/** How far a report has been read: which batches of acts and of usage came last. */
export interface ReportPlace {
  /** Null: all acts are behind; those that came since go into the next report. */
  readonly actSeq: number | null;
  readonly position: number;
}

export interface ReportPart {
  readonly report: ReportFile;
  /** Null: this was the last part. */
  readonly next: ReportPlace | null;
}

/**
 * The next part of all that a provider has given no receipt for: acts and where the ledger stands
 * now first, then usage, so many batches at a time that other work goes on in between.
 */
export function exportPart(
  context: AgentContext,
  providerId: PartyId,
  after: ReportPlace | null,
): ReportPart {
  const { db, keys } = context;
  const hostId = hostIdOf(context);
  const now = inTransaction(db, () => tellCapacityTime(context));
  const { actSeq, position } = after ?? { actSeq: 0, position: 0 };
  const acts = (actSeq === null ? [] : pendingActs(context, providerId))
    .filter(({ firstSeq }) => firstSeq > (actSeq ?? 0))
    .slice(0, BATCHES_PER_PART);
  const chainIds = listChains(db)
    .filter((chain) => chain.providerId === providerId)
    .map(({ chainId }) => chainId);
  const signBatch = (batch: UsageBatch) =>
    sign("sublet-usage", batch, keys.of(readLease(db, batch.chainId)));
  const limit = BATCHES_PER_PART - acts.length;
  const usage = nextBatches(db, signBatch, { chainIds, after: position, limit });
  const report = reportFileSchema.parse({
    ...{ kind: "sublet-capacity-report", version: 1, hostId, providerId, writtenAt: now.at },
    acts: [
      ...acts.map(({ jws }) => jws),
      ...(after === null ? [presentHead(context, providerId)] : []),
    ],
    usage: usage.map(({ jws }) => jws),
  });
  const isFull = acts.length + usage.length === BATCHES_PER_PART;
  const next = {
    actSeq: limit === 0 ? (acts.at(-1)?.firstSeq ?? null) : null,
    position: usage.at(-1)?.position ?? position,
  };
  return { report, next: isFull ? next : null };
}

/** The whole at once, for reports that are known to be small. */
export function exportReport(context: AgentContext, providerId: PartyId): ReportFile {
  let { report, next } = exportPart(context, providerId, null);
  while (next !== null) {
    const part = exportPart(context, providerId, next);
    const acts = [...report.acts, ...part.report.acts];
    report = { ...report, acts, usage: [...report.usage, ...part.report.usage] };
    next = part.next;
  }
  return report;
}
