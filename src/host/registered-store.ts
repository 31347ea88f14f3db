import type { Kysely } from "kysely";
import type { DB } from "../database/types.ts";
import { refusal } from "../refusal/refusal.ts";
import type { PublicJwk } from "../signature/key.ts";
import type { HostId, PartyId } from "../unit/id.ts";
import type { Size } from "../unit/size.ts";
import { insertHostKey } from "./key-store.ts";
import { getHost, type Host } from "./store.ts";

export interface Registration {
  readonly hostId: HostId;
  readonly name: string;
  readonly ownerPartyId: PartyId;
  readonly jwk: PublicJwk;
  readonly cardJws: string;
  readonly sizes: { readonly reserve: Size; readonly base: Size; readonly standby: Size };
  readonly now: Date;
}

/**
 * A host that no agent of this server speaks for. A later card of the same key brings its sizes up
 * to date; another key, or another owner, is refused by name.
 */
export async function registerHost(
  tx: Kysely<DB>,
  registration: Registration,
): Promise<{ readonly host: Host; readonly isNew: boolean }> {
  const { hostId, name, ownerPartyId, jwk, cardJws, now } = registration;
  const { numInsertedOrUpdatedRows } = await tx
    .insertInto("host")
    .values({
      ...{ hostId, name, cardJws, createdAt: now },
      lenderPartyId: ownerPartyId,
      agentPublicJwk: JSON.stringify(jwk),
      ...columnsOf(registration.sizes),
    })
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst();
  const isNew = numInsertedOrUpdatedRows === 1n;
  if (!isNew) await refuseOther(tx, registration);
  if (!(await insertHostKey(tx, { hostId, jwk, now }))) {
    throw refusal("host-registered-otherwise", { host: name });
  }
  await tx
    .updateTable("host")
    .set({ cardJws, ...columnsOf(registration.sizes) })
    .where("hostId", "=", hostId)
    .execute();
  return { host: await getHost(tx, hostId), isNew };
}

/**
 * Its owner, or the operator in the owner's place, says that a registered host is the owner's: from
 * now on codes are issued for it. Said again it changes nothing (false).
 */
export async function confirmHost(
  tx: Kysely<DB>,
  hostId: HostId,
  by: { readonly partyId: PartyId; readonly now: Date },
): Promise<boolean> {
  const { numUpdatedRows } = await tx
    .updateTable("host")
    .set({ confirmedAt: by.now, confirmedByPartyId: by.partyId })
    .where("hostId", "=", hostId)
    .where("cardJws", "is not", null)
    .where("confirmedAt", "is", null)
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}

/** Those that wait for a word, of one owner or of all. */
export async function listUnconfirmed(
  db: Kysely<DB>,
  ownerPartyId: PartyId | null,
): Promise<readonly HostId[]> {
  const rows = await db
    .selectFrom("host")
    .select("hostId")
    .where("cardJws", "is not", null)
    .where("confirmedAt", "is", null)
    .where("removedAt", "is", null)
    .$if(ownerPartyId !== null, (query) => query.where("lenderPartyId", "=", ownerPartyId))
    .orderBy("hostId")
    .execute();
  return rows.map(({ hostId }) => hostId as HostId);
}

async function refuseOther(tx: Kysely<DB>, registration: Registration): Promise<void> {
  const { hostId, name, ownerPartyId, jwk } = registration;
  const known = await tx
    .selectFrom("host")
    .select(["lenderPartyId", "cardJws", "agentPublicJwk"])
    .where("hostId", "=", hostId)
    .executeTakeFirst();
  if (!known) throw refusal("name-taken", { what: "host", name });
  const isSame =
    known.lenderPartyId === ownerPartyId &&
    known.cardJws !== null &&
    (known.agentPublicJwk as { x?: string } | null)?.x === jwk.x;
  if (!isSame) throw refusal("host-registered-otherwise", { host: name });
}

function columnsOf({ reserve, base, standby }: Registration["sizes"]) {
  return {
    reserveCpuMilli: reserve.cpuMilli,
    reserveMemoryBytes: reserve.memoryBytes,
    reserveDiskBytes: reserve.diskBytes,
    baseCpuMilli: base.cpuMilli,
    baseMemoryBytes: base.memoryBytes,
    baseDiskBytes: base.diskBytes,
    standbyCpuMilli: standby.cpuMilli,
    standbyMemoryBytes: standby.memoryBytes,
  };
}
