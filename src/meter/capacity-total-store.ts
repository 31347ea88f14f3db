import { type Kysely, sql } from "kysely";
import type { DB } from "../database/types.ts";
import { type Threshold, thresholdSchema } from "../enablement/capacity/terms.ts";
import type { ChainId } from "../unit/id.ts";
import { totalOf } from "./capacity-before.ts";
import type { HashedRecord, SeqRange, UsageRecord } from "./record.ts";

/** How far a chain is known. */
export interface Progress {
  readonly contiguousSeq: number;
  readonly lastSeq: number;
  readonly finalSeq: number | null;
}

/** What is known of a chain in one billing period, by one rule of comparison. */
export interface PeriodTotal {
  readonly chainId: ChainId;
  /** As `totalOf` names it. */
  readonly key: string;
  readonly firstSeq: number;
  readonly cpuNs: bigint;
  readonly threshold: Threshold | null;
}

const NOTHING: Progress = { contiguousSeq: 0, lastSeq: 0, finalSeq: null };

/** Of chains without records, too. */
export async function readProgress(
  db: Kysely<DB>,
  chainIds: readonly ChainId[],
): Promise<ReadonlyMap<ChainId, Progress>> {
  const found = new Map<ChainId, Progress>(chainIds.map((chainId) => [chainId, NOTHING]));
  if (chainIds.length === 0) return found;
  const rows = await db
    .selectFrom("capacityProgress")
    .selectAll()
    .where("chainId", "in", [...chainIds])
    .execute();
  for (const row of rows) {
    const finalSeq = row.finalSeq === null ? null : Number(row.finalSeq);
    const contiguousSeq = Number(row.contiguousSeq);
    const lastSeq = Number(row.lastSeq);
    found.set(row.chainId as ChainId, { contiguousSeq, lastSeq, finalSeq });
  }
  return found;
}

/** Of some chains, in the periods that begin at these instants. */
export async function readPeriodTotals(
  db: Kysely<DB>,
  chainIds: readonly ChainId[],
  starts: readonly string[],
): Promise<readonly PeriodTotal[]> {
  if (chainIds.length === 0 || starts.length === 0) return [];
  const rows = await db
    .selectFrom("capacityPeriodTotal")
    .selectAll()
    .where("chainId", "in", [...chainIds])
    .where(
      "periodStart",
      "in",
      starts.map((start) => new Date(start)),
    )
    .execute();
  return rows.map((row) => ({
    chainId: row.chainId as ChainId,
    key: `${row.periodStart.toISOString()} ${row.rule}`,
    firstSeq: Number(row.firstSeq),
    cpuNs: BigInt(row.cpuNs),
    threshold: row.threshold === null ? null : thresholdSchema.parse(row.threshold),
  }));
}

/** Records of a chain between two numbers, both included. */
export async function readRange(
  db: Kysely<DB>,
  chainId: ChainId,
  { fromSeq, toSeq }: SeqRange,
): Promise<readonly HashedRecord[]> {
  const rows = await db
    .selectFrom("usageRecord")
    .select(["hash", "record"])
    .where("chainId", "=", chainId)
    .where("seq", ">=", BigInt(fromSeq))
    .where("seq", "<=", BigInt(toSeq))
    .orderBy("seq")
    .execute();
  return rows.map(({ hash, record }) => ({ hash, record: record as unknown as UsageRecord }));
}

/** The first of a chain's records that is there. */
export async function readFirst(
  db: Kysely<DB>,
  chainId: ChainId,
): Promise<UsageRecord | undefined> {
  const row = await db
    .selectFrom("usageRecord")
    .select("record")
    .where("chainId", "=", chainId)
    .orderBy("seq")
    .limit(1)
    .executeTakeFirst();
  return row && (row.record as unknown as UsageRecord);
}

/** Adds records that were stored just now; under the host's lock. Gives how far the chain goes. */
export async function addToTotals(
  tx: Kysely<DB>,
  chainId: ChainId,
  before: Progress,
  fresh: readonly HashedRecord[],
): Promise<{ readonly contiguousSeq: number; readonly missing: readonly SeqRange[] }> {
  for (const total of totalsOf(fresh)) {
    const { start, rule, firstSeq, cpuNs, threshold } = total;
    await sql`
      insert into capacity_period_total
        (chain_id, period_start, rule, first_seq, cpu_ns, threshold)
      values (${chainId}, ${start}::timestamptz, ${rule}, ${firstSeq}, ${cpuNs.toString()}::numeric,
        ${threshold && JSON.stringify(threshold)}::jsonb)
      on conflict (chain_id, period_start, rule) do update set
        first_seq = least(capacity_period_total.first_seq, excluded.first_seq),
        cpu_ns = capacity_period_total.cpu_ns + excluded.cpu_ns`.execute(tx);
  }
  for (const [codeId, quantity] of drawnBy(fresh)) {
    await sql`
      insert into capacity_drawn (code_id, quantity)
      values (${codeId}, ${quantity.toString()}::numeric)
      on conflict (code_id) do update
        set quantity = capacity_drawn.quantity + excluded.quantity`.execute(tx);
  }
  const last = Math.max(before.lastSeq, ...fresh.map(({ record }) => record.seq));
  const finalSeq = fresh.find(({ record }) => record.final)?.record.seq ?? before.finalSeq;
  const missing = await readMissingBehind(tx, chainId, before.contiguousSeq);
  const contiguousSeq = (missing[0]?.fromSeq ?? last + 1) - 1;
  await sql`
    insert into capacity_progress (chain_id, contiguous_seq, last_seq, final_seq)
    values (${chainId}, ${contiguousSeq}, ${last}, ${finalSeq})
    on conflict (chain_id) do update set contiguous_seq = excluded.contiguous_seq,
      last_seq = excluded.last_seq, final_seq = excluded.final_seq`.execute(tx);
  return { contiguousSeq, missing };
}

function totalsOf(records: readonly HashedRecord[]) {
  const totals = new Map<string, Omit<PeriodTotal, "chainId" | "key"> & Place>();
  for (const { record } of records) {
    const key = totalOf(record);
    const before = totals.get(key);
    const [start = "", rule = ""] = key.split(/ (.*)/);
    totals.set(key, {
      ...{ start, rule },
      firstSeq: Math.min(record.seq, before?.firstSeq ?? record.seq),
      cpuNs: (before?.cpuNs ?? 0n) + BigInt(record.cpuNs),
      threshold: before?.threshold ?? record.capacity?.threshold ?? null,
    });
  }
  return totals.values();
}

interface Place {
  readonly start: string;
  readonly rule: string;
}

function drawnBy(records: readonly HashedRecord[]): ReadonlyMap<string, bigint> {
  const drawn = new Map<string, bigint>();
  for (const { codeId, quantity } of records.flatMap((one) => one.record.capacity?.debits ?? [])) {
    drawn.set(codeId, (drawn.get(codeId) ?? 0n) + BigInt(quantity));
  }
  return drawn;
}

/** Numbers that lack below others, when all up to one are there; the first hundred stretches. */
export async function readMissingBehind(
  db: Kysely<DB>,
  chainId: ChainId,
  contiguousSeq: number,
): Promise<readonly SeqRange[]> {
  const { rows } = await sql<{ before: bigint; seq: bigint }>`
    select before, seq from (
      select seq, lag(seq, 1, ${contiguousSeq}::bigint) over (order by seq) as before
      from usage_record where chain_id = ${chainId} and seq > ${contiguousSeq}) there
    where seq > before + 1 order by seq limit 100`.execute(db);
  return rows.map(({ before, seq }) => ({ fromSeq: Number(before) + 1, toSeq: Number(seq) - 1 }));
}
