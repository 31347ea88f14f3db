import type { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import {
  ruleName,
  type Threshold,
  type ThresholdRule,
  thresholdSchema,
} from "../../enablement/capacity/terms.ts";
import type { PartitionId, PartyId } from "../../unit/id.ts";
import { idSchema } from "../../unit/schema.ts";

/** Shared use of a partition in a billing period by one provider's codes, until now. */
export interface PeriodUse {
  /** As it stood at the period's begin. */
  readonly threshold: Threshold;
  /** milliCore-nanoseconds. */
  readonly used: bigint;
  readonly excess: bigint;
}

export interface PeriodKey {
  readonly providerId: PartyId;
  readonly partitionId: PartitionId;
  readonly start: string;
  readonly end: string;
  /** By what rule its code compares; by another rule another total runs. */
  readonly rule: ThresholdRule;
}

export function readPeriodUse(db: DatabaseSync, key: PeriodKey): PeriodUse | null {
  const row = db
    .prepare(
      `SELECT threshold, used, excess FROM capacity_period
        WHERE provider_id = ? AND partition_id = ? AND period_start = ? AND period_end = ?
          AND rule = ?`,
    )
    .get(...valuesOf(key));
  return row === undefined ? null : useRow.parse({ ...row });
}

export function writePeriodUse(db: DatabaseSync, key: PeriodKey, use: PeriodUse): void {
  db.prepare(
    `INSERT INTO capacity_period
       (provider_id, partition_id, period_start, period_end, rule, threshold, used, excess)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET used = excluded.used, excess = excluded.excess`,
  ).run(...valuesOf(key), JSON.stringify(use.threshold), `${use.used}`, `${use.excess}`);
}

/** All partitions' use in a period, by one provider's codes and one rule. */
export function listPeriodUses(
  db: DatabaseSync,
  key: PeriodKey,
): readonly (PeriodUse & { readonly partitionId: PartitionId })[] {
  return db
    .prepare(
      `SELECT partition_id, threshold, used, excess FROM capacity_period
        WHERE provider_id = ? AND period_start = ? AND period_end = ? AND rule = ?`,
    )
    .all(key.providerId, key.start, key.end, ruleName(key.rule))
    .map((row) => {
      const { partition_id: partitionId, ...use } = placedRow.parse({ ...row });
      return { partitionId, ...use };
    });
}

/** What was in force in the last period before one, by the same rule; null: there was none. */
export function thresholdBefore(
  db: DatabaseSync,
  key: PeriodKey,
): { readonly fromMs: number; readonly threshold: Threshold } | null {
  const [providerId = "", partitionId = "", start = "", , rule = ""] = valuesOf(key);
  const row = db
    .prepare(
      `SELECT period_start AS from_at, threshold FROM capacity_period
        WHERE provider_id = ? AND partition_id = ? AND rule = ? AND period_start < ?
        ORDER BY period_start DESC LIMIT 1`,
    )
    .get(providerId, partitionId, rule, start);
  if (row === undefined) return null;
  const { from_at: from, threshold } = setRow.parse({ ...row });
  return { fromMs: Date.parse(from), threshold };
}

function valuesOf({ providerId, partitionId, start, end, rule }: PeriodKey): string[] {
  return [providerId, partitionId, start, end, ruleName(rule)];
}

/** For whose codes, and of which partition. */
export interface ThresholdPlace {
  readonly providerId: PartyId;
  readonly partitionId: PartitionId;
}

/** Of periods that ended before an instant. */
export function forgetPeriods(db: DatabaseSync, beforeAt: string): void {
  db.prepare("DELETE FROM capacity_period WHERE period_end < ?").run(beforeAt);
}

/** What the owner set, from an instant on; a later word for the same instant counts. */
export function writeThreshold(
  db: DatabaseSync,
  { providerId, partitionId }: ThresholdPlace,
  from: string,
  threshold: Threshold,
): void {
  db.prepare(
    `INSERT INTO capacity_threshold (provider_id, partition_id, from_at, threshold)
     VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET threshold = excluded.threshold`,
  ).run(providerId, partitionId, from, JSON.stringify(threshold));
}

/** The owner's own figure in force at an instant, for a code of this rule; null: the default counts. */
export function thresholdSetAt(
  db: DatabaseSync,
  { providerId, partitionId }: ThresholdPlace,
  atMs: number,
  rule: ThresholdRule,
): { readonly fromMs: number; readonly threshold: Threshold } | null {
  const rows = db
    .prepare(
      "SELECT from_at, threshold FROM capacity_threshold WHERE provider_id = ? AND partition_id = ?",
    )
    .all(providerId, partitionId)
    .map((row) => setRow.parse({ ...row }))
    .filter(({ threshold }) => ruleName(threshold) === ruleName(rule))
    .filter(({ from_at: from }) => Date.parse(from) <= atMs)
    .toSorted((a, b) => Date.parse(a.from_at) - Date.parse(b.from_at));
  const last = rows.at(-1);
  return last === undefined
    ? null
    : { fromMs: Date.parse(last.from_at), threshold: last.threshold };
}

const thresholdText = z.string().transform((text) => thresholdSchema.parse(JSON.parse(text)));
const big = z.string().transform(BigInt);
const useRow = z.object({ threshold: thresholdText, used: big, excess: big });
const placedRow = useRow.extend({ partition_id: idSchema("partition") });
const setRow = z.object({ from_at: z.string(), threshold: thresholdText });
