import type { Kysely } from "kysely";
import { bringForward } from "../../billing/capacity/due-store.ts";
import { transaction } from "../../database/transaction.ts";
import type { DB } from "../../database/types.ts";
import { type CapacityChain, listCapacityChains } from "../../enablement/capacity/act-store.ts";
import { listCodesOfHost } from "../../enablement/capacity/code-store.ts";
import { ensureProviderKeys } from "../../enablement/capacity/provider-key-store.ts";
import { insertHostEventOnce, lockHost } from "../../host/store.ts";
import { readDebited } from "../../meter/capacity-store.ts";
import {
  addToTotals,
  type Progress,
  readFirst,
  readMissingBehind,
  readProgress,
} from "../../meter/capacity-total-store.ts";
import { claimFault, type DebitTerms } from "../../meter/check-capacity.ts";
import { decideIngest, neighbouringSeqs } from "../../meter/ingest.ts";
import {
  type HashedRecord,
  type SeqRange,
  type UsageBatch,
  type UsageReceipt,
  usageBatchSchema,
} from "../../meter/record.ts";
import { insertRecords, readRecords } from "../../meter/record-store.ts";
import { Refusal, refusal } from "../../refusal/refusal.ts";
import { sign } from "../../signature/envelope.ts";
import { type HostId, isId } from "../../unit/id.ts";
import type { ServerContext } from "../context.ts";
import { readBasePoolCheck } from "./base-pool-check.ts";
import { openHostText } from "./open-host-text.ts";
import { readThresholdCheck } from "./threshold-acts.ts";
import { readBefore } from "./used-before.ts";

/**
 * Takes a batch of records of enabled capacity, exactly once and in any order, and gives the
 * provider's receipt. A record whose numbers do not follow from its readings is refused.
 */
export async function takeCapacityUsage(
  context: ServerContext,
  hostId: HostId,
  usageJws: string,
): Promise<string> {
  const now = context.clock.now();
  const text = { jws: usageJws, typ: "sublet-usage", schema: usageBatchSchema } as const;
  const batch = await openHostText(context.db.kysely, hostId, text);
  try {
    return await transaction(context.db, (tx) => take(tx, batch, usageJws, now));
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    // Its acts are on their way; the host sends it again.
    if (error.code !== "acts-first") await flag(context, batch, error, now);
    throw error;
  }
}

async function take(tx: Kysely<DB>, batch: UsageBatch, jws: string, now: Date): Promise<string> {
  const { chainId, batchId } = batch;
  if (!isId("chain", chainId)) throw refusal("not-found", { what: "chain", id: chainId });
  const hostId = batch.hostId as HostId;
  await lockHost(tx, hostId);
  const chain = (await listCapacityChains(tx, { chainId })).find((one) => one.hostId === hostId);
  if (!chain) throw refusal("acts-first", { chainId });
  const progress = (await readProgress(tx, [chainId])).get(chainId);
  if (!progress) throw new Error(`${chainId} has no progress`);
  const fresh = await decide(tx, chain, progress, batch);
  let { contiguousSeq } = progress;
  let missing: readonly SeqRange[];
  if (fresh.length > 0) {
    await insertRecords(tx, { batch, jws, records: fresh, now });
    ({ contiguousSeq, missing } = await addToTotals(tx, chainId, progress, fresh));
    await bringForward(tx, { hostId, providerPartyId: chain.providerPartyId }, now);
  } else {
    missing = await readMissingBehind(tx, chainId, contiguousSeq);
  }
  const receipt: UsageReceipt = {
    ...{ iss: chain.providerPartyId, aud: hostId, batchId, chainId, contiguousSeq },
    ...(missing.length > 0 ? { missing: [...missing] } : {}),
    receivedAt: now.toISOString(),
  };
  const keys = await ensureProviderKeys(tx, chain.providerPartyId, now);
  return sign("sublet-receipt", receipt, keys.current);
}

async function decide(
  tx: Kysely<DB>,
  chain: CapacityChain,
  progress: Progress,
  batch: UsageBatch,
): Promise<readonly HashedRecord[]> {
  const { chainId, hostId } = chain;
  const codes = await listCodesOfHost(tx, { hostId, providerPartyId: chain.providerPartyId });
  const code = codes.find(({ codeId }) => codeId === chain.codeId);
  const first = (await readFirst(tx, chainId)) ?? batch.records[0]?.record;
  if (!code || !first) throw refusal("acts-first", { chainId });
  const decision = decideIngest(
    batch,
    {
      ...{ hostId, partitionId: chain.partitionId, cpuMode: chain.mode },
      ...{ size: first.size, grantJws: code.jws, seqFinal: progress.finalSeq },
    },
    await readRecords(tx, chainId, neighbouringSeqs(batch)),
  );
  if (!decision.ok) {
    const { seq } = decision;
    throw decision.code === "conflict"
      ? refusal("record-conflict", { chainId, seq })
      : refusal("record-refused", { chainId, seq, message: decision.message });
  }
  const debited = new Map(await readDebited(tx, hostId));
  const beforeOf = await readBefore(tx, chain, progress, decision.fresh);
  const terms = { ...chain, ...code.code, quantity: chain.quantity, resource: chain.resource };
  const codeOf = (codeId: string): DebitTerms | undefined => {
    const found = codes.find((one) => one.codeId === codeId);
    if (!found) return undefined;
    const { resource, validity, resourceTime } = found.code;
    return {
      resource,
      validFromMs: Date.parse(validity.start),
      validUntilMs: Date.parse(validity.end),
      left: BigInt(resourceTime) - (debited.get(found.codeId) ?? 0n),
    };
  };
  const isOwnCode = (codeId: string) => codes.some((one) => one.codeId === codeId);
  const checkThreshold = await readThresholdCheck(tx, chain, isOwnCode);
  const poolFault = await readBasePoolCheck(tx, chain, decision.fresh);
  for (const hashed of decision.fresh) {
    const { record } = hashed;
    checkThreshold(record);
    const message = claimFault(record, terms, beforeOf(hashed), codeOf) ?? poolFault(record);
    if (message !== null) {
      throw refusal("record-refused", { chainId, seq: record.seq, message });
    }
    for (const { codeId, quantity } of record.capacity?.debits ?? []) {
      debited.set(codeId, (debited.get(codeId) ?? 0n) + BigInt(quantity));
    }
  }
  return decision.fresh;
}

async function flag(
  { db, log }: Pick<ServerContext, "db" | "log">,
  { hostId, chainId, batchId }: UsageBatch,
  error: Refusal,
  now: Date,
): Promise<void> {
  const detail = { chainId, batchId, code: error.code, message: error.message };
  log.error({ hostId, ...detail }, "refused a usage batch");
  await insertHostEventOnce(db.kysely, { hostId, kind: "usage-refused", detail, now });
}
