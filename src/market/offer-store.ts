import { type Kysely, sql } from "kysely";
import type { DB } from "../database/types.ts";
import { refusal } from "../refusal/refusal.ts";
import { type HostId, newId, type OfferId, type PartitionId, type PartyId } from "../unit/id.ts";
import type { Tariff } from "./tariff.ts";

/** A lender's lending conditions for a partition. */
export interface Offer {
  readonly offerId: OfferId;
  readonly partitionId: PartitionId;
  readonly lenderPartyId: PartyId;
  readonly priceMicrosPerCoreHour: bigint;
  readonly priceMicrosPerMemoryGibHour: bigint;
  readonly priceMicrosPerDiskGibHour: bigint;
  readonly priceMicrosPerHour: bigint;
  readonly leaseSecondsMin: number;
  readonly leaseSecondsMax: number;
  readonly createdAt: Date;
}

/** An offer in force with the names that people know its partition by. */
export interface NamedOffer extends Offer {
  readonly partitionName: string;
  readonly hostId: HostId;
  readonly hostName: string;
}

export interface MarketTerms {
  readonly currency: string;
  readonly minorUnitDigits: number;
  readonly operatorFeePpm: number;
}

/** The offer's prices on this server's terms: what is copied into a lease. */
export function tariffOf(offer: Offer, terms: MarketTerms): Tariff {
  return {
    version: 1,
    currency: terms.currency,
    minorUnitDigits: terms.minorUnitDigits,
    priceMicrosPerCoreHour: offer.priceMicrosPerCoreHour.toString(),
    priceMicrosPerMemoryGibHour: offer.priceMicrosPerMemoryGibHour.toString(),
    priceMicrosPerDiskGibHour: offer.priceMicrosPerDiskGibHour.toString(),
    priceMicrosPerHour: offer.priceMicrosPerHour.toString(),
    operatorFeePpm: terms.operatorFeePpm,
    rounding: "half-even",
  };
}

/** From now on these conditions and no others; leases keep those they were booked on. */
export async function replaceOffer(
  tx: Kysely<DB>,
  offer: Omit<Offer, "offerId" | "createdAt">,
  now: Date,
): Promise<OfferId> {
  await tx
    .updateTable("offer")
    .set({ withdrawnAt: now })
    .where("partitionId", "=", offer.partitionId)
    .where("withdrawnAt", "is", null)
    .execute();
  const offerId = newId("offer", now.getTime());
  await tx
    .insertInto("offer")
    .values({ ...offer, offerId, createdAt: now })
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
    .where("partitionId", "in", (inner) =>
      inner.selectFrom("partition").select("partitionId").where("hostId", "=", hostId),
    )
    .execute();
}

export async function listOffers(
  db: Kysely<DB>,
  where: { lenderPartyId?: PartyId; offerId?: OfferId } = {},
): Promise<NamedOffer[]> {
  const rows = await db
    .selectFrom("offer")
    .innerJoin("partition", "partition.partitionId", "offer.partitionId")
    .innerJoin("host", "host.hostId", "partition.hostId")
    .selectAll("offer")
    .select(["partition.name as partitionName", "host.hostId", "host.name as hostName"])
    .where("offer.withdrawnAt", "is", null)
    .where("partition.removedAt", "is", null)
    .$if(where.lenderPartyId !== undefined, (query) =>
      query.where("offer.lenderPartyId", "=", where.lenderPartyId ?? ""),
    )
    .$if(where.offerId !== undefined, (query) =>
      query.where("offer.offerId", "=", where.offerId ?? ""),
    )
    .orderBy("host.name")
    .orderBy("partition.name")
    .execute();
  return rows.map(({ withdrawnAt: _, ...row }) => ({
    ...row,
    offerId: row.offerId as OfferId,
    partitionId: row.partitionId as PartitionId,
    lenderPartyId: row.lenderPartyId as PartyId,
    hostId: row.hostId as HostId,
  }));
}
