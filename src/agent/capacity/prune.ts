import type { DatabaseSync } from "node:sqlite";
import { acknowledgedSeq, pruneUpTo } from "../../meter/spool-batch.ts";
import { inTransaction } from "../../meter/transaction.ts";
import type { ChainId } from "../../unit/id.ts";
import type { AgentContext } from "../context.ts";
import { forgetUse, listChains, settledSeq } from "./chain-store.ts";
import { tellCapacityTime } from "./clock-store.ts";
import { forgetPeriods } from "./threshold-store.ts";

/**
 * For so long records are kept, at the least: thirteen months and some days, for a provider that
 * lost them and for whoever doubts a bill. A record with its signed text has 2.6 kB, and there is
 * one a minute and meter.
 */
const KEPT_MS = 400 * 86_400_000;
const EVERY_NS = 86_400n * 1_000_000_000n;
const last = new WeakMap<DatabaseSync, bigint>();

/**
 * Once a day, and at the start: forgets records that are receipted, named by a time to bill and
 * older than that. Of every chain its last receipted record stays, and every act.
 */
export function pruneOnce(context: AgentContext): void {
  const { db, clock, log } = context;
  const nowNs = clock.monotonicNs();
  const before = last.get(db);
  if (before !== undefined && nowNs - before < EVERY_NS) return;
  last.set(db, nowNs);
  const { atMs } = inTransaction(db, () => tellCapacityTime(context));
  const beforeAt = new Date(atMs - KEPT_MS).toISOString();
  let records = 0;
  for (const { chainId } of listChains(db)) records += pruneChain(db, chainId, beforeAt);
  inTransaction(db, () => forgetPeriods(db, beforeAt));
  if (records > 0) log.info({ records, beforeAt }, "old records of capacity are forgotten");
}

function pruneChain(db: DatabaseSync, chainId: ChainId, beforeAt: string): number {
  return inTransaction(db, () => {
    const upTo = Math.min(settledSeq(db, chainId, beforeAt), acknowledgedSeq(db, chainId) - 1);
    const { seq, count } = pruneUpTo(db, chainId, upTo);
    forgetUse(db, chainId, seq);
    return count;
  });
}
