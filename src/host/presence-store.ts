import type { Kysely } from "kysely";
import type { DB } from "../database/types.ts";
import type { HostId } from "../unit/id.ts";
import type { Presence } from "./liveness.ts";

/** Hosts that an agent has joined as and nobody has removed. */
export async function listWatchedHostIds(db: Kysely<DB>): Promise<HostId[]> {
  const rows = await db
    .selectFrom("host")
    .select("hostId")
    .where("enrolledAt", "is not", null)
    .where("removedAt", "is", null)
    .orderBy("hostId")
    .execute();
  return rows.map((row) => row.hostId as HostId);
}

/** Under the host's lock. */
export async function updatePresence(
  tx: Kysely<DB>,
  hostId: HostId,
  told: { presence: Presence; since: Date | null },
): Promise<void> {
  await tx
    .updateTable("host")
    .set({ presence: told.presence, presenceSince: told.since })
    .where("hostId", "=", hostId)
    .execute();
}
