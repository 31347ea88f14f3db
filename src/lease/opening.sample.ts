import fc from "fast-check";
import { type LentCode, STANDBY_STEP, standbySize } from "../host/lent-code.ts";
import type { Partition } from "../host/partition-store.ts";
import type { Host } from "../host/store.ts";
import type { Image } from "../image/store.ts";
import type { Offer } from "../market/offer.ts";
import { type Requirement, requirementSchema } from "../market/requirement.ts";
import type { Size } from "../unit/size.ts";
import { DAYS } from "../unit/week.ts";
import type { Deciding, Held, Opening } from "./opening.ts";

/** For tests: a host of sixteen cores with something on offer, and others' reservations on it. */

export const NOW = new Date("2027-01-04T08:00:00Z"); // A Monday.
export const HOUR_MS = 3_600_000;
export const GIB = 2 ** 30;
export const SIZE = (cores: number, memoryGib = 1, diskGib = 1): Size => ({
  cpuMilli: cores * 1000,
  memoryBytes: memoryGib * GIB,
  diskBytes: diskGib * GIB,
});
const NONE = { cpuMilli: 0, memoryBytes: 0, diskBytes: 0 };
const HOST_ID = "host_01k0000000000000000000";
const LENDER_ID = "party_01k0000000000000000000";
const OWN_ID = "partition_01k0000000000000000000";
const OTHER_ID = "partition_01k1111111111111111111";
const OFFER_ID = "offer_01k0000000000000000000";

const HOST: Host = {
  hostId: HOST_ID,
  lenderPartyId: LENDER_ID,
  name: "h1",
  agentPublicJwk: null,
  architecture: "x86_64",
  facts: {
    ...{ accelerator: "tcg", acceleratorReason: "", driver: "memory", driverVersion: "1" },
    ...{ kernel: "6.1", cores: [], cpuModel: "", sharedCpu: true, memoryLimit: true },
    ...{ controlGroupsReason: "" },
  },
  reserve: NONE,
  base: SIZE(16, 32, 100),
  standby: NONE,
  isRegistered: false,
  confirmedAt: null,
  desiredGeneration: 1n,
  enrolledAt: NOW,
  seenAt: NOW,
  removedAt: null,
  presence: "seen",
  presenceSince: NOW,
  drainedAt: null,
  maintenance: null,
};

const PARTITION: Partition = {
  partitionId: OWN_ID,
  name: "lend",
  hostId: HOST_ID,
  hostName: "h1",
  lenderPartyId: LENDER_ID,
  lendable: true,
  cpuMode: "dedicated",
  carved: false,
  size: SIZE(4, 8, 20),
  standingSize: SIZE(4, 8, 20),
  min: SIZE(1, 0, 0),
  max: SIZE(8, 16, 40),
  generation: 1n,
  inUse: null,
  offerId: OFFER_ID,
};

const OFFER: Offer = {
  offerId: OFFER_ID,
  hostId: HOST_ID,
  lenderPartyId: LENDER_ID,
  partitionId: OWN_ID,
  carve: null,
  priceMicrosPerCoreHour: 100_000n,
  priceMicrosPerSharedCoreHour: 80_000n,
  priceMicrosPerMemoryGibHour: 10_000n,
  priceMicrosPerDiskGibHour: 1000n,
  priceMicrosPerHour: 0n,
  leaseSecondsMin: 60,
  leaseSecondsMax: 30 * 86_400,
  windows: [],
  timeZone: "Europe/Berlin",
  borrowers: "everyone",
  borrowerPartyIds: [],
  labels: {},
  internet: false,
  operatorFeePpm: 0,
  createdAt: NOW,
};

export function openingOf(
  some: {
    partition?: Partial<Partition>;
    offer?: Partial<Offer>;
    held?: readonly Held[];
    /** The host has as much in standby as these may have at once. */
    lent?: readonly LentCode[];
  } = {},
): Opening {
  const partition = { ...PARTITION, ...some.partition };
  const offer = { ...OFFER, ...some.offer };
  const { held = [], lent = [] } = some;
  const host = { ...HOST, standby: standbySize(lent) };
  return { partition, host, hostLate: false, offer, held, lent };
}

/** Reserved from so many hours after now on, for so many: by default of another partition. */
export function heldFor(size: Size, fromHour: number, hours: number, own = false): Held {
  const start = new Date(NOW.getTime() + fromHour * HOUR_MS);
  return {
    hostId: HOST_ID,
    partitionId: own ? OWN_ID : OTHER_ID,
    leaseId: "lease_01k0000000000000000000",
    size,
    standby: [],
    period: { start, end: new Date(start.getTime() + hours * HOUR_MS) },
    carved: !own,
  };
}

/** So many cores, or blocks of memory, for so many hours of them; valid for the hours named. */
export function lentCode(
  some: { at?: number; resource?: "cpu" | "memory"; steps?: number; hours?: number } & {
    readonly valid?: readonly [number, number];
  } = {},
): LentCode {
  const { at = 0, resource = "cpu", steps = 4, hours = 1000, valid = [-1, 1000] } = some;
  const [start, end] = valid.map((hour) => new Date(NOW.getTime() + hour * HOUR_MS));
  const quantity = steps * STANDBY_STEP[resource];
  return {
    ...{ hostId: HOST_ID, codeId: `code_01k000000000000000000${at}`, providerId: LENDER_ID },
    ...{ resource, quantity, reserved: 0n, isOpen: true, heldUntil: null },
    resourceTime: BigInt(STANDBY_STEP[resource]) * BigInt(Math.round(hours * 3.6e12)),
    validity: { start: start ?? NOW, end: end ?? NOW },
  };
}

const MANIFEST = { name: "small-linux", version: "1", memoryBytesMin: GIB / 2 };
const IMAGE = { imageId: "image_01k0000000000000000000", manifest: MANIFEST } as unknown as Image;

export function decidingOf(some: Partial<Requirement> = {}): Deciding {
  const wanted = { size: SIZE(2), os: "small-linux", durationSeconds: 3600 };
  return {
    requirement: { ...requirementSchema.parse(wanted), ...some },
    images: new Map([["x86_64", IMAGE]]),
    terms: { currency: "EUR", minorUnitDigits: 2 },
    now: NOW,
  };
}

const anySize = fc
  .tuple(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 0, max: 40 }), fc.nat(120))
  .map(([cores, memory, disk]) => ({
    ...SIZE(cores, memory, disk),
    memoryBytes: memory * (GIB / 4),
  }));

const anyRequirement: fc.Arbitrary<Partial<Requirement>> = fc.record(
  {
    size: anySize,
    durationSeconds: fc.integer({ min: 60, max: 40 * 3600 }),
    start: fc.nat(200).map((hour) => new Date(NOW.getTime() + hour * HOUR_MS).toISOString()),
    maxTotalMicros: fc.nat(3_000_000).map(String),
    count: fc.integer({ min: 1, max: 4 }),
  },
  { requiredKeys: ["size", "durationSeconds"] },
);

const anyHeld = fc
  .record({
    cores: fc.integer({ min: 1, max: 4 }),
    from: fc.integer({ min: -10, max: 100 }),
    hours: fc.integer({ min: 11, max: 60 }),
    own: fc.boolean(),
  })
  .map(({ cores, from, hours, own }) => heldFor(SIZE(cores, cores, cores), from, hours, own));

/** Codes of cores and of memory, for a while and for so much of it; the first first to expire. */
const anyLent = fc
  .array(
    fc.record({
      resource: fc.constantFrom("cpu" as const, "memory" as const),
      steps: fc.integer({ min: 1, max: 6 }),
      hours: fc.integer({ min: 1, max: 120 }),
      from: fc.integer({ min: -10, max: 60 }),
      until: fc.integer({ min: 61, max: 300 }),
    }),
    { maxLength: 3 },
  )
  .map((codes) =>
    codes
      .toSorted((a, b) => a.until - b.until)
      .map(({ from, until, ...code }, at) => lentCode({ ...code, at, valid: [from, until] })),
  );

/** Some of what others hold is standby of these codes. */
function onStandby(held: readonly Held[], lent: readonly LentCode[]): Held[] {
  return held.map((one, index) => {
    const code = lent[index];
    if (code === undefined || one.size.cpuMilli === STANDBY_STEP.cpu) return one;
    const { codeId, resource } = code;
    return { ...one, standby: [{ codeId, resource, quantity: STANDBY_STEP[resource] }] };
  });
}

const anyWindows = fc.array(
  fc
    .record({
      days: fc.subarray([...DAYS], { minLength: 1 }),
      from: fc.integer({ min: 0, max: 11 }),
      to: fc.integer({ min: 12, max: 24 }),
    })
    .map(({ days, from, to }) => ({
      days,
      from: `${String(from).padStart(2, "0")}:00`,
      to: `${to}:00`,
    })),
  { maxLength: 2 },
);

/** A partition or a carve, with windows or none, on a host with others on it. */
const anyOpening: fc.Arbitrary<Opening> = fc
  .record({
    held: fc.array(anyHeld, { maxLength: 6 }),
    windows: anyWindows,
    carve: fc.option(fc.record({ cpuMode: fc.constant("dedicated" as const), max: anySize })),
  })
  .map(({ held, windows, carve }) =>
    openingOf({
      held: carve ? held.filter(({ carved }) => carved) : held,
      offer: { windows, ...(carve ? { carve, partitionId: null } : {}) },
      partition: carve
        ? { max: carve.max, standingSize: NONE, min: { ...NONE, cpuMilli: 1000 } }
        : {},
    }),
  );

/** A host whose base is nearly full, codes that it lends, and what others have of both. */
const anyLending: fc.Arbitrary<Opening> = fc
  .record({
    held: fc.array(anyHeld, { maxLength: 3 }),
    full: fc.integer({ min: 10, max: 15 }),
    lent: anyLent,
    windows: fc.oneof(fc.constant([]), anyWindows),
  })
  .map(({ held, full, lent, windows }) => {
    const base = heldFor({ ...SIZE(full), memoryBytes: 2 * full * GIB }, -10, 10_000);
    return openingOf({ held: [base, ...onStandby(held, lent)], lent, offer: { windows } });
  });

const modestRequirement: typeof anyRequirement = fc.record(
  {
    size: fc
      .tuple(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 8, max: 200 }))
      .map(([cores, blocks]) => ({
        ...SIZE(cores),
        memoryBytes: blocks * (STANDBY_STEP.memory / 2),
      })),
    durationSeconds: fc.integer({ min: 60, max: 20 * 3600 }),
    start: fc.nat(70).map((hour) => new Date(NOW.getTime() + hour * HOUR_MS).toISOString()),
    count: fc.integer({ min: 1, max: 4 }),
  },
  { requiredKeys: ["size", "durationSeconds"] },
);

/** What is wanted, and where: with lent codes half of the time. */
export const anyQuestion = fc
  .oneof(fc.tuple(anyRequirement, anyOpening), fc.tuple(modestRequirement, anyLending))
  .map(([wanted, opening]) => ({ deciding: decidingOf(wanted), opening }));
