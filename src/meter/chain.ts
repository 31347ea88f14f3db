import { canonicalJson, sha256Hex } from "../unit/canonical.ts";
import { sizesEqual } from "../unit/size.ts";
import type { HashedRecord, UsageRecord } from "./record.ts";

/** What a chain hangs on: the hash of the grant that it was metered under. */
export function chainOrigin(grantJws: string): string {
  return sha256Hex(grantJws);
}

export function hashRecord(record: UsageRecord): string {
  return sha256Hex(canonicalJson(record));
}

/** In the order in which they are looked for. */
export const CHAIN_CODES = [
  "bad-hash",
  "wrong-chain",
  "after-final",
  "gap",
  "broken-link",
  "not-joined",
  "backwards",
  "impossible",
] as const;
export type ChainCode = (typeof CHAIN_CODES)[number];
export type ChainCheck =
  | { readonly ok: true }
  | {
      readonly ok: false;
      readonly code: ChainCode;
      readonly seq: number;
      readonly message: string;
    };

/** May `next` follow? `previous` is the record before, or the chain's origin for number 1. */
export function checkLink(previous: HashedRecord | string, next: HashedRecord): ChainCheck {
  const { record, hash } = next;
  const refuse = (code: ChainCode, message: string): ChainCheck => {
    return { ok: false, code, seq: record.seq, message: `record ${record.seq} ${message}` };
  };
  if (hashRecord(record) !== hash) return refuse("bad-hash", "does not have the hash it states");
  const before = typeof previous === "string" ? null : previous.record;
  const beforeHash = typeof previous === "string" ? previous : previous.hash;
  const beforeSeq = before?.seq ?? 0;
  if (before !== null && !sameTerms(before, record)) {
    return refuse(
      "wrong-chain",
      "names another chain, host, partition or size than the one before",
    );
  }
  if (before?.final) return refuse("after-final", `follows record ${beforeSeq}, which was final`);
  if (record.seq !== beforeSeq + 1) {
    return refuse("gap", `came where record ${beforeSeq + 1} belongs`);
  }
  if (record.previousHash !== beforeHash) {
    return refuse("broken-link", "does not name the hash of what went before");
  }
  if (before !== null && canonicalJson(before.to) !== canonicalJson(record.from)) {
    return refuse("not-joined", "does not begin where the one before ended");
  }
  return checkTimes(record, refuse);
}

/** Checks a whole chain from its origin; the first fault is named. */
export function checkChain(origin: string, records: readonly HashedRecord[]): ChainCheck {
  let previous: HashedRecord | string = origin;
  for (const next of records) {
    const link = checkLink(previous, next);
    if (!link.ok) return link;
    previous = next;
  }
  return { ok: true };
}

type Refuse = (code: ChainCode, message: string) => ChainCheck;

/** A record lies within one boot, or is exactly the time between two, of which nothing is known. */
function checkTimes(record: UsageRecord, refuse: Refuse): ChainCheck {
  const elapsedNs = BigInt(record.elapsedNs);
  const deliveredNs = BigInt(record.deliveredNs);
  if (record.from.bootId === record.to.bootId) {
    const differenceNs = BigInt(record.to.monotonicNs) - BigInt(record.from.monotonicNs);
    if (differenceNs < 0n) return refuse("backwards", "ends before it begins");
    if (elapsedNs !== differenceNs) {
      return refuse("impossible", "states another length than lies between its instants");
    }
  } else if (deliveredNs > 0n) {
    return refuse("impossible", "claims delivery across a restart of the host");
  }
  if (deliveredNs > elapsedNs) return refuse("impossible", "delivered for longer than it lasted");
  return { ok: true };
}

function sameTerms(a: UsageRecord, b: UsageRecord): boolean {
  return (
    a.chainId === b.chainId &&
    a.hostId === b.hostId &&
    a.partitionId === b.partitionId &&
    a.cpuMode === b.cpuMode &&
    sizesEqual(a.size, b.size)
  );
}
