import { type Kysely, sql } from "kysely";
import type { DB } from "../database/types.ts";
import type { HostId } from "../unit/id.ts";

/** What happened to a host; its lender sees it. */
export interface HostEvent {
  readonly at: Date;
  readonly kind: string;
  readonly detail: Readonly<Record<string, unknown>>;
}

/** The newest first, at most `limit`. */
export async function listHostEvents(
  db: Kysely<DB>,
  hostId: HostId,
  limit: number,
): Promise<HostEvent[]> {
  const rows = await db
    .selectFrom("hostEvent")
    .select(["at", "kind", "detail"])
    .where("hostId", "=", hostId)
    .orderBy("seq", "desc")
    .limit(limit)
    .execute();
  return rows.map((row) => ({ ...row, detail: row.detail as Record<string, unknown> }));
}

/** The same of one kind, however many others came since. */
export async function listHostEventsOfKind(
  db: Kysely<DB>,
  hostId: HostId,
  kind: string,
  limit: number,
): Promise<HostEvent[]> {
  const rows = await db
    .selectFrom("hostEvent")
    .select(["at", "kind", "detail"])
    .where("hostId", "=", hostId)
    .where("kind", "=", kind)
    .orderBy("seq", "desc")
    .limit(limit)
    .execute();
  return rows.map((row) => ({ ...row, detail: row.detail as Record<string, unknown> }));
}

/** Batches of usage that were refused, on any host; the newest first, at most `limit`. */
export async function listUsageRefusals(db: Kysely<DB>, limit: number) {
  const rows = await db
    .selectFrom("hostEvent as e")
    .innerJoin("host as h", "h.hostId", "e.hostId")
    .select(["e.at", "e.detail", "h.hostId", "h.name"])
    .where("e.kind", "=", "usage-refused")
    .orderBy("e.at", "desc")
    .limit(limit)
    .execute();
  return rows.map(({ at, detail, hostId, name }) => ({
    at,
    host: { id: hostId as HostId, name },
    detail: detail as Record<string, unknown>,
  }));
}

/** Whether a refusal of this batch stands among the host's events already. */
export async function wasToldOfBatch(
  db: Kysely<DB>,
  hostId: HostId,
  { batchId, code }: { batchId: string; code: string },
): Promise<boolean> {
  const row = await db
    .selectFrom("hostEvent")
    .select("seq")
    .where("hostId", "=", hostId)
    .where("kind", "=", "usage-refused")
    .where(sql<boolean>`detail @> ${JSON.stringify({ batchId, code })}::jsonb`)
    .executeTakeFirst();
  return row !== undefined;
}
