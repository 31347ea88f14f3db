import { randomBytes } from "node:crypto";

/** Ids sort by the time at which they were made and say what they name: `lease_01k…`. */
export const ID_PREFIXES = [
  "party",
  "key",
  "host",
  "partition",
  "offer",
  "image",
  "lease",
  "extension",
  "reservation",
  "bill",
  "chain",
  "batch",
  "transaction",
  "grant",
  "end",
  "report",
  "power",
  "console",
  "request",
  "code",
  "service",
  "order",
  "join",
  "run",
  "target",
  "delivery",
] as const;
export type IdPrefix = (typeof ID_PREFIXES)[number];
export type Id<P extends IdPrefix> = `${P}_${string}`;

export type PartyId = Id<"party">;
export type KeyId = Id<"key">;
export type HostId = Id<"host">;
export type PartitionId = Id<"partition">;
export type OfferId = Id<"offer">;
export type ImageId = Id<"image">;
export type LeaseId = Id<"lease">;
export type ExtensionId = Id<"extension">;
export type ReservationId = Id<"reservation">;
export type BillId = Id<"bill">;
export type ChainId = Id<"chain">;
export type BatchId = Id<"batch">;
export type ConsoleRequestId = Id<"console">;
export type JoinId = Id<"join">;
export type RunId = Id<"run">;
export type TransactionId = Id<"transaction">;
export type CapacityRequestId = Id<"request">;
export type CodeId = Id<"code">;
export type ServiceId = Id<"service">;
export type TargetId = Id<"target">;
export type DeliveryId = Id<"delivery">;

/** Crockford's alphabet in lower case: no i, l, o or u to misread. */
const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";
const TIME_CHARACTERS = 9; // 45 bits of milliseconds: good until the year 3084
const RANDOM_CHARACTERS = 13; // 65 bits

export function newId<P extends IdPrefix>(prefix: P, nowMs: number = Date.now()): Id<P> {
  let time = "";
  for (let rest = BigInt(nowMs), i = 0; i < TIME_CHARACTERS; i++, rest >>= 5n) {
    time = ALPHABET.charAt(Number(rest & 31n)) + time;
  }
  let random = "";
  for (const byte of randomBytes(RANDOM_CHARACTERS)) random += ALPHABET.charAt(byte & 31);
  return `${prefix}_${time}${random}`;
}

export function idPattern(prefix: IdPrefix): RegExp {
  return new RegExp(`^${prefix}_[0-9a-hjkmnp-tv-z]{22}$`);
}

export function isId<P extends IdPrefix>(prefix: P, text: string): text is Id<P> {
  return idPattern(prefix).test(text);
}
