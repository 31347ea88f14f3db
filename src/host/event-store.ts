import type { Kysely } from "kysely";
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
