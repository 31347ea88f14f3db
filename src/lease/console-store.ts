import { type Kysely, sql } from "kysely";
import type { DB } from "../database/types.ts";
import type { ConsoleRequestId, HostId } from "../unit/id.ts";
import type { Lease } from "./store.ts";

/** Nobody waits for longer; what is older was left by a server that died. */
const KEPT_MS = 60_000;

export interface ConsoleRequest {
  readonly consoleRequestId: ConsoleRequestId;
  readonly leaseId: Lease["leaseId"];
}

export async function insertConsoleRequest(
  tx: Kysely<DB>,
  consoleRequestId: ConsoleRequestId,
  { leaseId, hostId }: Pick<Lease, "leaseId" | "hostId">,
  now: Date,
): Promise<void> {
  const oldest = new Date(now.getTime() - KEPT_MS);
  await tx.deleteFrom("consoleRequest").where("requestedAt", "<", oldest).execute();
  await tx
    .insertInto("consoleRequest")
    .values({ consoleRequestId, leaseId, hostId, requestedAt: now })
    .execute();
}

/** What a host has been asked and has not answered. */
export async function listConsoleRequests(
  db: Kysely<DB>,
  hostId: HostId,
): Promise<ConsoleRequest[]> {
  const { rows } = await sql<ConsoleRequest>`
    select console_request_id, lease_id from console_request
    where host_id = ${hostId} and answered_at is null
    order by console_request_id limit 20`.execute(db);
  return rows;
}

/** The host's answer; false when nobody waits for it any more, or it was answered. */
export async function answerConsoleRequest(
  db: Kysely<DB>,
  answer: { consoleRequestId: ConsoleRequestId; hostId: HostId; content: Buffer; now: Date },
): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable("consoleRequest")
    .set({ answeredAt: answer.now, content: answer.content })
    .where("consoleRequestId", "=", answer.consoleRequestId)
    .where("hostId", "=", answer.hostId)
    .where("answeredAt", "is", null)
    .executeTakeFirst();
  return numUpdatedRows > 0n;
}

export async function readConsoleAnswer(
  db: Kysely<DB>,
  consoleRequestId: ConsoleRequestId,
): Promise<Buffer | null> {
  const row = await db
    .selectFrom("consoleRequest")
    .select("content")
    .where("consoleRequestId", "=", consoleRequestId)
    .executeTakeFirst();
  return row?.content ?? null;
}

export async function deleteConsoleRequest(
  db: Kysely<DB>,
  consoleRequestId: ConsoleRequestId,
): Promise<void> {
  await db.deleteFrom("consoleRequest").where("consoleRequestId", "=", consoleRequestId).execute();
}
