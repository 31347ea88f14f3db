import { type Kysely, type RawBuilder, type Selectable, sql } from "kysely";
import type { DB, Offer as OfferRow } from "../database/types.ts";
import { refusal } from "../refusal/refusal.ts";
import { type HostId, newId, type OfferId, type PartitionId, type PartyId } from "../unit/id.ts";
import type { CpuMode } from "../unit/schema.ts";
import type { BorrowerRule, Labels } from "./condition.ts";
import type { NamedOffer, Offer } from "./offer.ts";
import type { Window } from "./window.ts";

/** From now on these conditions and no others; leases keep those they were booked on. */
export async function replaceOffer(
  tx: Kysely<DB>,
  offer: Omit<Offer, "offerId" | "createdAt" | "operatorFeePpm">,
  now: Date,
): Promise<OfferId> {
  const { carve, windows, labels, borrowerPartyIds, ...columns } = offer;
  await tx
    .updateTable("offer")
    .set({ withdrawnAt: now })
    .where("hostId", "=", offer.hostId)
    .where("partitionId", offer.partitionId === null ? "is" : "=", offer.partitionId)
    .where("withdrawnAt", "is", null)
    .execute();
  const offerId = newId("offer", now.getTime());
  await tx
    .insertInto("offer")
    .values({
      ...columns,
      offerId,
      windows: JSON.stringify(windows),
      labels: JSON.stringify(labels),
      borrowerPartyIds: [...borrowerPartyIds],
      carveCpuMode: carve?.cpuMode ?? null,
      carveMaxCpuMilli: carve?.max.cpuMilli ?? null,
      carveMaxMemoryBytes: carve?.max.memoryBytes ?? null,
      carveMaxDiskBytes: carve?.max.diskBytes ?? null,
      createdAt: now,
    })
    .execute();
  return offerId;
}

/** Withdrawing twice keeps the first instant. */
export async function withdrawOffer(
  db: Kysely<DB>,
  lenderPartyId: PartyId,
  offerId: OfferId,
  now: Date,
): Promise<Date> {
  const row = await db
    .updateTable("offer")
    .set({ withdrawnAt: sql`coalesce(withdrawn_at, ${now})` })
    .where("offerId", "=", offerId)
    .where("lenderPartyId", "=", lenderPartyId)
    .returning("withdrawnAt")
    .executeTakeFirst();
  if (!row?.withdrawnAt) throw refusal("not-found", { what: "offer", id: offerId });
  return row.withdrawnAt;
}

/** Every offer of a host that is removed. */
export async function withdrawOffersOfHost(
  tx: Kysely<DB>,
  hostId: HostId,
  now: Date,
): Promise<void> {
  await tx
    .updateTable("offer")
    .set({ withdrawnAt: now })
    .where("withdrawnAt", "is", null)
    .where("hostId", "=", hostId)
    .execute();
}

export interface OfferFilter {
  readonly lenderPartyId?: PartyId;
  readonly offerId?: OfferId;
  /** Only what this party may borrow: of the rest it learns nothing. */
  readonly borrowerPartyId?: PartyId;
}

/** Offers in force, by host and partition; what may be carved from a host comes last. */
export async function listOffers(
  db: Kysely<DB>,
  { lenderPartyId, offerId, borrowerPartyId }: OfferFilter = {},
): Promise<NamedOffer[]> {
  const conditions: RawBuilder<unknown>[] = [
    sql`o.withdrawn_at is null`,
    sql`(o.partition_id is null or p.removed_at is null)`,
  ];
  if (lenderPartyId) conditions.push(sql`o.lender_party_id = ${lenderPartyId}`);
  if (offerId) conditions.push(sql`o.offer_id = ${offerId}`);
  if (borrowerPartyId) {
    conditions.push(sql`case o.borrowers when 'everyone' then true
      else (o.borrowers = 'only') = (${borrowerPartyId} = any(o.borrower_party_ids)) end`);
  }
  const { rows } = await sql<Row>`
    select o.*, p.name as partition_name, h.name as host_name,
      operator_fee_of(o.lender_party_id) as operator_fee_ppm,
      (select coalesce(jsonb_agg(jsonb_build_object('id', b.party_id, 'name', b.name)
          order by b.name), '[]')
        from party b where b.party_id = any(o.borrower_party_ids)) as borrower_parties
    from offer o
    join host h on h.host_id = o.host_id
    left join partition p on p.partition_id = o.partition_id
    where ${sql.join(conditions, sql` and `)}
    order by h.name, p.name nulls last, o.offer_id`.execute(db);
  return rows.map(toOffer);
}

type Row = Selectable<OfferRow> &
  Pick<NamedOffer, "partitionName" | "hostName" | "borrowerParties" | "operatorFeePpm">;

function toOffer(row: Row): NamedOffer {
  return {
    offerId: row.offerId as OfferId,
    hostId: row.hostId as HostId,
    hostName: row.hostName,
    lenderPartyId: row.lenderPartyId as PartyId,
    partitionId: row.partitionId as PartitionId | null,
    partitionName: row.partitionName,
    carve:
      row.carveCpuMode === null
        ? null
        : {
            cpuMode: row.carveCpuMode as CpuMode,
            max: {
              cpuMilli: row.carveMaxCpuMilli ?? 0,
              memoryBytes: Number(row.carveMaxMemoryBytes),
              diskBytes: Number(row.carveMaxDiskBytes),
            },
          },
    priceMicrosPerCoreHour: row.priceMicrosPerCoreHour,
    priceMicrosPerSharedCoreHour: row.priceMicrosPerSharedCoreHour,
    priceMicrosPerMemoryGibHour: row.priceMicrosPerMemoryGibHour,
    priceMicrosPerDiskGibHour: row.priceMicrosPerDiskGibHour,
    priceMicrosPerHour: row.priceMicrosPerHour,
    leaseSecondsMin: row.leaseSecondsMin,
    leaseSecondsMax: row.leaseSecondsMax,
    windows: row.windows as unknown as Window[],
    timeZone: row.timeZone,
    borrowers: row.borrowers as BorrowerRule,
    borrowerPartyIds: row.borrowerPartyIds as PartyId[],
    borrowerParties: row.borrowerParties,
    labels: row.labels as unknown as Labels,
    internet: row.internet,
    operatorFeePpm: row.operatorFeePpm,
    createdAt: row.createdAt,
  };
}
