import { type Kysely, sql } from "kysely";
import type { DB } from "../database/types.ts";
import { refusal } from "../refusal/refusal.ts";
import type { BillId, LeaseId, PartyId, RunId } from "../unit/id.ts";
import { OUTPUTS_KEPT_DAYS, type Outbox } from "./outbox.ts";
import type { RunKind } from "./run-state.ts";
import type { LeaseOutcome, LeaseState } from "./state.ts";

/** What a client runs, as it said when it booked leases for it. */
export interface NewRun {
  readonly runId: RunId;
  readonly kind: RunKind;
  readonly command: string;
  readonly outbox?: Outbox | undefined;
}

export interface Run extends Omit<NewRun, "outbox"> {
  readonly clientPartyId: PartyId;
  readonly createdAt: Date;
  readonly cancelledAt: Date | null;
  /** Told by a client that waited. */
  readonly exitCode: number | null;
  readonly finishedAt: Date | null;
  readonly leases: readonly RunLease[];
}

export interface RunLease {
  readonly leaseId: LeaseId;
  readonly state: LeaseState;
  readonly outcome: LeaseOutcome | null;
  readonly outboxBytes: bigint | null;
  readonly startedAt: Date | null;
  readonly exitedAt: Date | null;
  readonly exitCode: number | null;
  readonly outputsDigest: string | null;
  readonly outputsBytes: bigint | null;
  readonly outputsUntil: Date | null;
  /** `fetched`, `expired`, or why they were lost. */
  readonly outputsGone: string | null;
  readonly billId: BillId | null;
  readonly totalMicros: bigint | null;
}

/** Several bookings may be for one run; what they say of it is the same. */
export async function insertRunOnce(
  tx: Kysely<DB>,
  { runId, kind, command }: NewRun,
  clientPartyId: PartyId,
  now: Date,
): Promise<void> {
  const { numInsertedOrUpdatedRows } = await tx
    .insertInto("run")
    .values({ runId, kind, command, clientPartyId, createdAt: now })
    .onConflict((on) => on.column("runId").doNothing())
    .executeTakeFirst();
  if (numInsertedOrUpdatedRows !== 0n) return;
  const known = await tx
    .selectFrom("run")
    .select("runId")
    .where("runId", "=", runId)
    .where("clientPartyId", "=", clientPartyId)
    .where("kind", "=", kind)
    .where("command", "=", command)
    .executeTakeFirst();
  if (!known) throw refusal("run-id-reused", { runId });
}

export async function insertRunLease(
  tx: Kysely<DB>,
  { runId, outbox }: NewRun,
  leaseId: LeaseId,
): Promise<void> {
  const room = { outboxBytes: outbox?.bytes ?? null, sealKey: outbox?.sealKey ?? null };
  await tx
    .insertInto("runLease")
    .values({ leaseId, runId, ...room })
    .execute();
}

/** A run of the party's own; for anybody else, its lender too, there is none. */
export async function getRun(db: Kysely<DB>, partyId: PartyId, runId: RunId): Promise<Run> {
  const [run] = await selectRuns(db, { partyId, runId, cursor: undefined, limit: 1 });
  if (!run) throw refusal("not-found", { what: "run", id: runId });
  return run;
}

/** Newest first, from behind `cursor` on. */
export async function listRunsOfParty(
  db: Kysely<DB>,
  which: { partyId: PartyId; cursor: string | undefined; limit: number },
): Promise<Run[]> {
  return selectRuns(db, { ...which, runId: undefined });
}

async function selectRuns(
  db: Kysely<DB>,
  which: {
    partyId: PartyId;
    runId: RunId | undefined;
    cursor: string | undefined;
    limit: number;
  },
): Promise<Run[]> {
  const { partyId, runId, cursor, limit } = which;
  const { rows } = await sql<Omit<Run, "leases">>`
    select run_id, client_party_id, kind, command, created_at, cancelled_at, exit_code, finished_at
    from run where client_party_id = ${partyId}
      and (${runId ?? null}::text is null or run_id = ${runId ?? null})
      and (${cursor ?? null}::text is null or run_id < ${cursor ?? null})
    order by run_id desc limit ${limit}`.execute(db);
  const ids = rows.map((row) => row.runId);
  const { rows: leases } = await sql<RunLease & { runId: RunId }>`
    select x.run_id, x.lease_id, l.state, l.outcome, x.outbox_bytes, x.started_at, x.exited_at,
      x.exit_code, x.outputs_digest, x.outputs_bytes, x.outputs_until, x.outputs_gone,
      b.bill_id, b.total_micros
    from run_lease x join lease l using (lease_id) left join bill b using (lease_id)
    where x.run_id = any(${ids}) order by x.lease_id`.execute(db);
  return rows.map((row) => ({ ...row, leases: leases.filter((one) => one.runId === row.runId) }));
}

export async function setRunCancelled(tx: Kysely<DB>, runId: RunId, now: Date): Promise<void> {
  await tx
    .updateTable("run")
    .set({ cancelledAt: now })
    .where("runId", "=", runId)
    .where("cancelledAt", "is", null)
    .execute();
}

/** The first word of a client that waited is the one that stays. */
export async function setRunFinished(
  db: Kysely<DB>,
  runId: RunId,
  exitCode: number,
  now: Date,
): Promise<void> {
  await db
    .updateTable("run")
    .set({ exitCode, finishedAt: now })
    .where("runId", "=", runId)
    .where("finishedAt", "is", null)
    .execute();
}

export async function setRunStarted(tx: Kysely<DB>, leaseId: LeaseId, at: Date): Promise<void> {
  await tx
    .updateTable("runLease")
    .set({ startedAt: at })
    .where("leaseId", "=", leaseId)
    .where("startedAt", "is", null)
    .execute();
}

export async function setRunExited(
  tx: Kysely<DB>,
  leaseId: LeaseId,
  exitCode: number,
  at: Date,
): Promise<void> {
  await tx
    .updateTable("runLease")
    .set({ exitCode, exitedAt: at })
    .where("leaseId", "=", leaseId)
    .where("exitedAt", "is", null)
    .execute();
}

export type OutputsRow = Pick<
  RunLease,
  "leaseId" | "outboxBytes" | "outputsDigest" | "outputsBytes" | "outputsGone"
>;

export async function findOutputs(
  db: Kysely<DB>,
  leaseId: LeaseId,
): Promise<OutputsRow | undefined> {
  return (await db
    .selectFrom("runLease")
    .select(["leaseId", "outboxBytes", "outputsDigest", "outputsBytes", "outputsGone"])
    .where("leaseId", "=", leaseId)
    .executeTakeFirst()) as OutputsRow | undefined;
}

/** From now on they wait for their client. What came first stays. */
export async function setOutputsKept(
  db: Kysely<DB>,
  leaseId: LeaseId,
  { digest, bytes, now }: { digest: string; bytes: number; now: Date },
): Promise<void> {
  const until = new Date(now.getTime() + OUTPUTS_KEPT_DAYS * 24 * 3_600_000);
  await db
    .updateTable("runLease")
    .set({ outputsDigest: digest, outputsBytes: bytes, outputsUntil: until })
    .where("leaseId", "=", leaseId)
    .where("outputsDigest", "is", null)
    .where("outputsGone", "is", null)
    .execute();
}

export async function setOutputsGone(db: Kysely<DB>, leaseId: LeaseId, why: string): Promise<void> {
  await db
    .updateTable("runLease")
    .set({ outputsGone: why })
    .where("leaseId", "=", leaseId)
    .where("outputsGone", "is", null)
    .execute();
}

export async function listExpiredOutputs(
  db: Kysely<DB>,
  now: Date,
): Promise<{ leaseId: LeaseId; digest: string }[]> {
  const { rows } = await sql<{ leaseId: LeaseId; digest: string }>`
    select lease_id, outputs_digest as digest from run_lease
    where outputs_digest is not null and outputs_gone is null and outputs_until <= ${now}
    order by lease_id limit 100`.execute(db);
  return rows;
}
