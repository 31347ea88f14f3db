import type { Response } from "../../src/api/contract/contract.ts";
import type { LeaseView } from "../../src/api/contract/view.ts";
import { type Id, type IdPrefix, newId } from "../../src/unit/id.ts";

type Access = NonNullable<LeaseView["access"]>;

/** Always the same id for the same prefix. */
export function id<P extends IdPrefix>(prefix: P, digit = "0"): Id<P> {
  return `${prefix}_${digit.repeat(22)}`;
}

const party = { id: id("party"), name: "acme" };
const lender = { id: id("party", "1"), name: "lender" };
const host = { id: id("host"), name: "attic" };
const partition = { id: id("partition"), name: "guest" };
const size = { cpuMilli: 1000, memoryBytes: 512 * 2 ** 20, diskBytes: 2 ** 30 };
const at = "2027-01-31T08:00:00.000Z";
const end = "2027-01-31T08:10:00.000Z";
const image = { imageId: id("image"), name: "small-linux", version: "6.1-1" };

export const TARIFF: LeaseView["tariff"] = {
  version: 1,
  currency: "EUR",
  minorUnitDigits: 2,
  priceMicrosPerCoreHour: "100000",
  priceMicrosPerMemoryGibHour: "10000",
  priceMicrosPerDiskGibHour: "1000",
  priceMicrosPerHour: "0",
  operatorFeePpm: 0,
  rounding: "half-even",
};
const quote = {
  perHourMicros: "106000",
  fixedMicros: "17667",
  meteredMaxMicros: "0",
  totalMicros: "20000",
};

export function leaseOf(some: Partial<LeaseView> = {}): LeaseView {
  return {
    leaseId: newId("lease"),
    state: "booked",
    outcome: null,
    reason: null,
    client: party,
    lender,
    host,
    partition,
    size,
    cpuMode: "dedicated",
    internet: false,
    image,
    period: { start: at, end },
    tariff: TARIFF,
    quote,
    leaseSecondsMax: 7 * 86_400,
    windows: [],
    timeZone: "UTC",
    extensions: [],
    access: null,
    accessJws: null,
    agentKeys: null,
    power: { state: "on", generation: 0, doneGeneration: 0 },
    createdAt: at,
    preparingAt: null,
    readyAt: null,
    endingAt: null,
    endedAt: null,
    billId: null,
    ...some,
  };
}

export function accessOf(leaseId: Id<"lease">): Access {
  return {
    leaseId,
    hostId: host.id,
    address: "127.0.0.1",
    port: 2222,
    user: "root",
    hostKey: `ssh-ed25519 ${"A".repeat(68)}`,
  };
}

export const MATCH: Response<"search">["matches"][number] = {
  offerId: id("offer"),
  partition,
  host,
  lender,
  size,
  recut: true,
  cpuMode: "dedicated",
  image,
  period: { start: at, end },
  tariff: TARIFF,
  quote,
};

export const OFFER: Response<"setOffer"> = {
  offerId: id("offer"),
  partition,
  host,
  carve: null,
  tariff: TARIFF,
  leaseSecondsMin: 60,
  leaseSecondsMax: 86_400,
  windows: [
    { days: ["fri"], from: "22:00", to: "24:00" },
    { days: ["sat"], from: "00:00", to: "06:00" },
  ],
  timeZone: "Europe/Berlin",
  borrowers: { who: "only", parties: [party] },
  labels: { region: "eu" },
  internet: true,
  createdAt: at,
};
export const CARVE_OFFER: Response<"setCarveOffer"> = {
  ...OFFER,
  partition: null,
  carve: {
    cpuMode: "dedicated",
    max: { cpuMilli: 8000, memoryBytes: 16 * 2 ** 30, diskBytes: 100 * 2 ** 30 },
  },
  windows: [],
  borrowers: { who: "everyone", parties: [] },
  labels: {},
  internet: false,
};

type Found = Response<"search">;
export function foundOf(matches: Found["matches"], some: Partial<Found> = {}): Found {
  const together = { wanted: 1, matches, perHourMicros: "106000", totalMicros: "20000" };
  return { matches, together, mismatches: [], ...some };
}

export function partitionOf(): Response<"setPartition"> {
  return {
    partitionId: partition.id,
    name: partition.name,
    host,
    lendable: true,
    cpuMode: "dedicated",
    carved: false,
    size,
    standingSize: size,
    min: { cpuMilli: 1000, memoryBytes: 64 * 2 ** 20, diskBytes: 0 },
    max: size,
    generation: 1,
    inUse: null,
    offerId: null,
  };
}
