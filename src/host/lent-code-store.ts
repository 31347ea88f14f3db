import { type Kysely, sql } from "kysely";
import { attempt, violatedConstraint } from "../database/constraint.ts";
import { sqlPeriod } from "../database/period.ts";
import type { DB } from "../database/types.ts";
import type { CodeId, HostId, PartyId } from "../unit/id.ts";
import type { LentCode, NewLentCode } from "./lent-code.ts";
import { insertHostEventOnce } from "./store.ts";

/** Codes that hosts lend, or have reservations of; of a host the one that expires first first. */
export async function listLentCodes(
  db: Kysely<DB>,
  hostIds: readonly HostId[],
): Promise<LentCode[]> {
  if (hostIds.length === 0) return [];
  const { rows } = await sql<LentCodeRow>`
    select c.host_id, c.code_id, c.provider_party_id, c.resource, c.quantity, c.resource_time,
      lower(c.validity) as start, upper(c.validity) as end_at,
      lent_code_reserved(c.host_id, c.code_id)::numeric(60, 0) as reserved,
      lent_code_open(c.host_id, c.code_id) as is_open,
      (select max(upper(r.period)) from standby_reservation s join reservation r using (reservation_id)
        join lease l using (lease_id)
        where s.host_id = c.host_id and s.code_id = c.code_id and l.state <> 'ended') as held_until
    from lent_code c
    where c.host_id = any(${hostIds})
    order by c.host_id, upper(c.validity), c.code_id`.execute(db);
  return rows
    .map(({ providerPartyId, start, endAt, ...row }) => ({
      ...row,
      providerId: providerPartyId,
      quantity: Number(row.quantity),
      resourceTime: BigInt(row.resourceTime),
      reserved: BigInt(row.reserved),
      validity: { start, end: endAt },
    }))
    .filter(({ isOpen, heldUntil }) => isOpen || heldUntil !== null);
}

interface LentCodeRow {
  hostId: HostId;
  codeId: CodeId;
  providerPartyId: PartyId;
  resource: "cpu" | "memory";
  quantity: bigint;
  resourceTime: string;
  start: Date;
  endAt: Date;
  reserved: string;
  isOpen: boolean;
  heldUntil: Date | null;
}

/**
 * All that a host lends now, under its lock. The same code with the same resource-time is the same
 * loan: what leases had of it counts on. With another it was lent anew, after its owner had kept it.
 * What is not named any more is closed, and forgotten where no lease ever had of it.
 */
export async function replaceLentCodes(
  tx: Kysely<DB>,
  hostId: HostId,
  codes: readonly NewLentCode[],
  now: Date,
): Promise<void> {
  await sql`update lent_code set reported = false where host_id = ${hostId}`.execute(tx);
  for (const code of codes) await writeLentCode(tx, hostId, code, now);
  await sql`delete from lent_code c where c.host_id = ${hostId} and not c.reported
    and not exists (select 1 from standby_reservation s
      where s.host_id = c.host_id and s.code_id = c.code_id)`.execute(tx);
}

/** One that is named with less than is reserved of it stays what it was, for no new lease. */
async function writeLentCode(
  tx: Kysely<DB>,
  hostId: HostId,
  code: NewLentCode,
  now: Date,
): Promise<void> {
  const { codeId, providerId, resource, quantity } = code;
  const resourceTime = code.resourceTime.toString();
  try {
    await attempt(tx, () =>
      sql`
        insert into lent_code (host_id, code_id, provider_party_id, resource, quantity,
          resource_time, validity, lent_at, reported)
        values (${hostId}, ${codeId}, ${providerId}, ${resource}, ${quantity}, ${resourceTime},
          ${sqlPeriod(code.validity)}, ${now}, true)
        on conflict (host_id, code_id) do update set reported = true,
          resource = excluded.resource, quantity = excluded.quantity,
          resource_time = excluded.resource_time, validity = excluded.validity,
          lent_at = case when lent_code.resource_time = excluded.resource_time
            then lent_code.lent_at else excluded.lent_at end`.execute(tx),
    );
  } catch (error) {
    if (violatedConstraint(error) !== "lent_code_reserved") throw error;
    const detail = { codeId, quantity, resourceTime };
    await insertHostEventOnce(tx, { hostId, kind: "lent-code-short", detail, now });
  }
}

/** From now on it is for no new lease, until its host names it again. */
export async function closeLentCode(
  tx: Kysely<DB>,
  { hostId, codeId }: { hostId: HostId; codeId: CodeId },
): Promise<void> {
  await tx
    .updateTable("lentCode")
    .set({ reported: false })
    .where("hostId", "=", hostId)
    .where("codeId", "=", codeId)
    .execute();
}
