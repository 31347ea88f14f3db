import type { HostId, OfferId, PartitionId, PartyId } from "../unit/id.ts";
import type { CpuMode } from "../unit/schema.ts";
import type { Size } from "../unit/size.ts";
import type { BorrowerRule, Labels } from "./condition.ts";
import type { Tariff } from "./tariff.ts";
import type { Window } from "./window.ts";

/** What of a host may be carved on request: partitions made to the size that is wanted. */
export interface Carve {
  readonly cpuMode: CpuMode;
  /** The most that all carved partitions of the host have at any instant. */
  readonly max: Size;
}

/** A lender's lending conditions for a partition, or for what may be carved from a host. */
export interface Offer {
  readonly offerId: OfferId;
  readonly hostId: HostId;
  readonly lenderPartyId: PartyId;
  /** Null for what may be carved, which `carve` tells. */
  readonly partitionId: PartitionId | null;
  readonly carve: Carve | null;
  readonly priceMicrosPerCoreHour: bigint;
  readonly priceMicrosPerSharedCoreHour: bigint;
  readonly priceMicrosPerMemoryGibHour: bigint;
  readonly priceMicrosPerDiskGibHour: bigint;
  readonly priceMicrosPerHour: bigint;
  readonly leaseSecondsMin: number;
  readonly leaseSecondsMax: number;
  readonly windows: readonly Window[];
  readonly timeZone: string;
  readonly borrowers: BorrowerRule;
  /** Whom `only` and `except` name. */
  readonly borrowerPartyIds: readonly PartyId[];
  readonly labels: Labels;
  /** Whether guests may reach the internet; those that ask do. */
  readonly internet: boolean;
  /** The operator's part of what its lender earns by a lease that is booked now. */
  readonly operatorFeePpm: number;
  readonly createdAt: Date;
}

/** An offer in force with the names that people know its parts by. */
export interface NamedOffer extends Offer {
  readonly partitionName: string | null;
  readonly hostName: string;
  readonly borrowerParties: readonly { readonly id: PartyId; readonly name: string }[];
}

export interface MarketTerms {
  readonly currency: string;
  readonly minorUnitDigits: number;
}

/** The offer's prices on this server's terms: what is copied into a lease. */
export function tariffOf(offer: Offer, terms: MarketTerms): Tariff {
  return {
    version: 1,
    currency: terms.currency,
    minorUnitDigits: terms.minorUnitDigits,
    priceMicrosPerCoreHour: offer.priceMicrosPerCoreHour.toString(),
    priceMicrosPerSharedCoreHour: offer.priceMicrosPerSharedCoreHour.toString(),
    priceMicrosPerMemoryGibHour: offer.priceMicrosPerMemoryGibHour.toString(),
    priceMicrosPerDiskGibHour: offer.priceMicrosPerDiskGibHour.toString(),
    priceMicrosPerHour: offer.priceMicrosPerHour.toString(),
    operatorFeePpm: offer.operatorFeePpm,
    rounding: "half-even",
  };
}
