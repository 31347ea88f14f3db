import type { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import {
  ruleName,
  type Threshold,
  type ThresholdRule,
  thresholdSchema,
} from "../../enablement/capacity/terms.ts";
import type { PartitionId, PartyId } from "../../unit/id.ts";

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

/** What was in force in the last period before one, by the same rule; null: there was none. */
export function thresholdBefore(db: DatabaseSync, key: PeriodKey): Threshold | null {
  const [providerId = "", partitionId = "", start = "", , rule = ""] = valuesOf(key);
  const row = db
    .prepare(
      `SELECT threshold FROM capacity_period
        WHERE provider_id = ? AND partition_id = ? AND rule = ? AND period_start < ?
        ORDER BY period_start DESC LIMIT 1`,
    )
    .get(providerId, partitionId, rule, start);
  return row === undefined ? null : thresholdRow.parse({ ...row }).threshold;
}

function valuesOf({ providerId, partitionId, start, end, rule }: PeriodKey): string[] {
  return [providerId, partitionId, start, end, ruleName(rule)];
}

/** For whose codes, and of which partition. */
export interface ThresholdPlace {
  readonly providerId: PartyId;
  readonly partitionId: PartitionId;
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
): Threshold | null {
  const rows = db
    .prepare(
      "SELECT from_at, threshold FROM capacity_threshold WHERE provider_id = ? AND partition_id = ?",
    )
    .all(providerId, partitionId)
    .map((row) => setRow.parse({ ...row }))
    .filter(({ threshold }) => ruleName(threshold) === ruleName(rule))
    .filter(({ from_at: from }) => Date.parse(from) <= atMs)
    .toSorted((a, b) => Date.parse(a.from_at) - Date.parse(b.from_at));
  return rows.at(-1)?.threshold ?? null;
}

const thresholdText = z.string().transform((text) => thresholdSchema.parse(JSON.parse(text)));
const big = z.string().transform(BigInt);
const useRow = z.object({ threshold: thresholdText, used: big, excess: big });
const thresholdRow = z.object({ threshold: thresholdText });
const setRow = z.object({ from_at: z.string(), threshold: thresholdText });
