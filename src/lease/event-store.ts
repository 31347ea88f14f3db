import { type Kysely, sql } from "kysely";
import type { DB } from "../database/types.ts";
import type { LeaseId } from "../unit/id.ts";

/** What happened to a lease; both parties see it. */
export interface LeaseEvent {
  readonly seq: number;
  readonly at: Date;
  readonly kind: string;
  readonly reason: string | null;
  readonly detail: Readonly<Record<string, unknown>>;
}

export interface NewLeaseEvent {
  readonly leaseId: LeaseId;
  readonly kind: string;
  readonly reason?: string;
  readonly detail?: object;
  readonly reportId?: string;
  readonly at: Date;
}

/** Under the lease's row lock, which makes the numbers consecutive. */
export async function insertLeaseEvent(tx: Kysely<DB>, event: NewLeaseEvent): Promise<void> {
  await tx
    .insertInto("leaseEvent")
    .values({
      leaseId: event.leaseId,
      seq: sql`(select coalesce(max(seq), 0) + 1 from lease_event where lease_id = ${event.leaseId})`,
      at: event.at,
      kind: event.kind,
      reason: event.reason ?? null,
      detail: JSON.stringify(event.detail ?? {}),
      reportId: event.reportId ?? null,
    })
    .execute();
}

export async function wasReported(db: Kysely<DB>, reportId: string): Promise<boolean> {
  const row = await db
    .selectFrom("leaseEvent")
    .select("seq")
    .where("reportId", "=", reportId)
    .executeTakeFirst();
  return row !== undefined;
}

/** Whether something of this kind has happened to the lease. */
export async function hasLeaseEvent(
  db: Kysely<DB>,
  leaseId: LeaseId,
  kind: string,
): Promise<boolean> {
  const row = await db
    .selectFrom("leaseEvent")
    .select("seq")
    .where("leaseId", "=", leaseId)
    .where("kind", "=", kind)
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}

/** By number, of these kinds: what tells why a lease was not delivered, and since when it was. */
export async function listDeliveryEvents(
  db: Kysely<DB>,
  leaseId: LeaseId,
  kinds: readonly string[],
): Promise<{ seq: number; at: string; kind: string; reason: string | null }[]> {
  const rows = await db
    .selectFrom("leaseEvent")
    .select(["seq", "at", "kind", "reason"])
    .where("leaseId", "=", leaseId)
    .where("kind", "in", kinds)
    .orderBy("seq")
    .execute();
  return rows.map((row) => ({ ...row, at: row.at.toISOString() }));
}

/** In order, from `afterSeq` on. */
export async function listLeaseEvents(
  db: Kysely<DB>,
  leaseId: LeaseId,
  afterSeq = 0,
): Promise<LeaseEvent[]> {
  const rows = await db
    .selectFrom("leaseEvent")
    .select(["seq", "at", "kind", "reason", "detail"])
    .where("leaseId", "=", leaseId)
    .where("seq", ">", afterSeq)
    .orderBy("seq")
    .execute();
  return rows.map((row) => ({ ...row, detail: row.detail as Record<string, unknown> }));
}
