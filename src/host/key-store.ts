import type { Kysely } from "kysely";
import type { DB } from "../database/types.ts";
import { importPublicKey, type PublicJwk } from "../signature/key.ts";
import type { HostId } from "../unit/id.ts";

/** A key of a host's agent, now or earlier. */
export interface HostKey {
  readonly hostId: HostId;
  readonly jwk: PublicJwk;
  /** Since then nobody is let in with it; what it signed for leases granted under it counts. */
  readonly untilAt: Date | null;
}

/** The host's first key; the same again changes nothing. False: it is another host's. */
export async function insertHostKey(
  tx: Kysely<DB>,
  { hostId, jwk, now }: { hostId: HostId; jwk: PublicJwk; now: Date },
): Promise<boolean> {
  await tx
    .insertInto("hostKey")
    .values({ kid: jwk.kid, hostId, publicJwk: JSON.stringify(jwk), fromAt: now })
    .onConflict((conflict) => conflict.column("kid").doNothing())
    .execute();
  return (await findHostKey(tx, jwk.kid))?.hostId === hostId;
}

/** Under the host's lock: the present key's time is over, and `jwk` takes its place, if any. */
export async function replaceHostKey(
  tx: Kysely<DB>,
  change: {
    hostId: HostId;
    jwk: PublicJwk | null;
    /** Signed by the present key: that `jwk` takes its place. */
    rotationJws: string | null;
    now: Date;
  },
): Promise<void> {
  const { hostId, jwk, rotationJws, now } = change;
  await tx
    .updateTable("hostKey")
    .set({ untilAt: now })
    .where("hostId", "=", hostId)
    .where("untilAt", "is", null)
    .execute();
  if (jwk === null) return;
  await tx
    .insertInto("hostKey")
    .values({ kid: jwk.kid, hostId, publicJwk: JSON.stringify(jwk), rotationJws, fromAt: now })
    .execute();
  await tx
    .updateTable("host")
    .set({ agentPublicJwk: JSON.stringify(jwk) })
    .where("hostId", "=", hostId)
    .execute();
}

/** All that a host's agent has or had. */
export async function listHostKeys(db: Kysely<DB>, hostId: HostId): Promise<PublicJwk[]> {
  const rows = await db
    .selectFrom("hostKey")
    .select("publicJwk")
    .where("hostId", "=", hostId)
    .orderBy("fromAt")
    .execute();
  return rows.map((row) => importPublicKey(row.publicJwk));
}

export async function findHostKey(db: Kysely<DB>, kid: string): Promise<HostKey | undefined> {
  const row = await db.selectFrom("hostKey").selectAll().where("kid", "=", kid).executeTakeFirst();
  if (!row) return undefined;
  return {
    hostId: row.hostId as HostId,
    jwk: importPublicKey(row.publicJwk),
    untilAt: row.untilAt,
  };
}
