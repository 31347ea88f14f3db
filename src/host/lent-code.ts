import type { CodeId, HostId, PartyId } from "../unit/id.ts";
import type { Size } from "../unit/size.ts";

/** What a host can have in standby, as sizes name it. */
export const STANDBY_RESOURCES = { cpu: "cpuMilli", memory: "memoryBytes" } as const;
export type StandbyResource = keyof typeof STANDBY_RESOURCES;

/** Whole cores, and whole blocks of the memory that a guest's kernel takes: nothing less is enabled. */
export const STANDBY_STEP: Readonly<Record<StandbyResource, number>> = {
  cpu: 1000,
  memory: 128 * 2 ** 20,
};

/** A code whose resource-time its host's owner has lent, as its host names it. */
export interface NewLentCode {
  readonly codeId: CodeId;
  readonly providerId: PartyId;
  readonly resource: StandbyResource;
  /** The most at once, in milliCores or bytes. */
  readonly quantity: number;
  /** What was left when it was lent, in milliCore- or byte-nanoseconds. */
  readonly resourceTime: bigint;
  readonly validity: { readonly start: Date; readonly end: Date };
}

/** A lent code as the resource database knows it. */
export interface LentCode extends NewLentCode {
  readonly hostId: HostId;
  /** Of its resource-time: what leases had of it, and what is reserved for them. */
  readonly reserved: bigint;
  /** New leases may have of it. Otherwise it serves those that have. */
  readonly isOpen: boolean;
  /** The end of the last reservation of a lease that has not ended; null: there is none. */
  readonly heldUntil: Date | null;
}

/** So much of what a reservation has is standby's, by this code. */
export interface StandbyPart {
  readonly codeId: CodeId;
  readonly resource: StandbyResource;
  /** milliCores or bytes. */
  readonly quantity: number;
}

/** What parts of several codes come to. */
export function standbySize(parts: readonly Omit<StandbyPart, "codeId">[]): Size {
  const sum = (resource: StandbyResource) =>
    parts
      .filter((part) => part.resource === resource)
      .reduce((total, { quantity }) => total + quantity, 0);
  return { cpuMilli: sum("cpu"), memoryBytes: sum("memory"), diskBytes: 0 };
}

/** How much of a resource-time so much takes over a period: milliCore- or byte-nanoseconds. */
export function resourceTimeOver(
  quantity: number,
  { start, end }: { readonly start: Date; readonly end: Date },
): bigint {
  return BigInt(quantity) * BigInt(end.getTime() - start.getTime()) * 1_000_000n;
}
