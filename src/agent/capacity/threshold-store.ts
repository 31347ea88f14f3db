import type { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import { type Threshold, thresholdSchema } from "../../enablement/capacity/terms.ts";
import type { PartitionId } from "../../unit/id.ts";

/** Shared use of a partition in a billing period, until now. */
export interface PeriodUse {
  /** As it stood at the period's begin. */
  readonly threshold: Threshold;
  /** milliCore-nanoseconds. */
  readonly used: bigint;
  readonly excess: bigint;
}

export interface PeriodKey {
  readonly partitionId: PartitionId;
  readonly start: string;
  readonly end: string;
}

export function readPeriodUse(db: DatabaseSync, key: PeriodKey): PeriodUse | null {
  const row = db
    .prepare(
      `SELECT threshold, used, excess FROM capacity_period
        WHERE partition_id = ? AND period_start = ? AND period_end = ?`,
    )
    .get(key.partitionId, key.start, key.end);
  return row === undefined ? null : useRow.parse({ ...row });
}

export function writePeriodUse(db: DatabaseSync, key: PeriodKey, use: PeriodUse): void {
  db.prepare(
    `INSERT INTO capacity_period
       (partition_id, period_start, period_end, threshold, used, excess)
     VALUES (?, ?, ?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET used = excluded.used, excess = excluded.excess`,
  ).run(
    ...[key.partitionId, key.start, key.end, JSON.stringify(use.threshold)],
    ...[`${use.used}`, `${use.excess}`],
  );
}

/** Of periods that ended before an instant. */
export function forgetPeriods(db: DatabaseSync, beforeAt: string): void {
  db.prepare("DELETE FROM capacity_period WHERE period_end < ?").run(beforeAt);
}

/** What the owner set, from an instant on; a later word for the same instant counts. */
export function writeThreshold(
  db: DatabaseSync,
  partitionId: PartitionId,
  from: string,
  threshold: Threshold,
): void {
  db.prepare(
    `INSERT INTO capacity_threshold (partition_id, from_at, threshold) VALUES (?, ?, ?)
     ON CONFLICT DO UPDATE SET threshold = excluded.threshold`,
  ).run(partitionId, from, JSON.stringify(threshold));
}

/** The owner's own figure in force at an instant; null: the default counts. */
export function thresholdSetAt(
  db: DatabaseSync,
  partitionId: PartitionId,
  atMs: number,
): Threshold | null {
  const rows = db
    .prepare("SELECT from_at, threshold FROM capacity_threshold WHERE partition_id = ?")
    .all(partitionId)
    .map((row) => setRow.parse({ ...row }))
    .filter(({ from_at: from }) => Date.parse(from) <= atMs)
    .toSorted((a, b) => Date.parse(a.from_at) - Date.parse(b.from_at));
  return rows.at(-1)?.threshold ?? null;
}

const thresholdText = z.string().transform((text) => thresholdSchema.parse(JSON.parse(text)));
const big = z.string().transform(BigInt);
const useRow = z.object({ threshold: thresholdText, used: big, excess: big });
const setRow = z.object({ from_at: z.string(), threshold: thresholdText });
