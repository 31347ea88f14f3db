import { type ActsBatch, actOrigin, type HashedAct, hashAct } from "./act.ts";

export type ActsDecision =
  /** `fresh`: the acts that were not there before. */
  | { readonly ok: true; readonly fresh: readonly HashedAct[] }
  | { readonly ok: false; readonly code: "conflict"; readonly seq: number }
  | {
      readonly ok: false;
      readonly code: "refused";
      readonly seq: number;
      readonly message: string;
    };

/** Numbers whose stored acts the decision needs. */
export function neighbouringActs({ acts, head }: ActsBatch): number[] {
  const seqs = acts.flatMap(({ record: { seq } }) => [seq - 1, seq, seq + 1]);
  return [...new Set([...seqs, head.seq])].filter((seq) => seq > 0);
}

/**
 * Which acts of a batch to take. Any order and any number of times: what is stored already is
 * passed over if it is the same to the letter, and is a conflict otherwise.
 */
export function decideActs(batch: ActsBatch, stored: ReadonlyMap<number, HashedAct>): ActsDecision {
  const fresh: HashedAct[] = [];
  const known = new Map(stored);
  for (const hashed of batch.acts.toSorted((a, b) => a.record.seq - b.record.seq)) {
    const { seq } = hashed.record;
    const existing = known.get(seq);
    if (existing && existing.hash !== hashed.hash) return { ok: false, code: "conflict", seq };
    if (existing) continue;
    const fault = faultOf(batch, hashed, known);
    if (fault !== null) return { ok: false, code: "refused", seq, message: fault };
    known.set(seq, hashed);
    fresh.push(hashed);
  }
  return { ok: true, fresh };
}

function faultOf(
  batch: ActsBatch,
  hashed: HashedAct,
  known: ReadonlyMap<number, HashedAct>,
): string | null {
  const { record, hash } = hashed;
  if (record.hostId !== batch.hostId) return "it names another host";
  if (record.seq > batch.head.seq) return "it lies behind the head that the batch states";
  if (hashAct(record) !== hash) return "it does not have the hash it states";
  const before = known.get(record.seq - 1);
  const previous = record.seq === 1 ? actOrigin(record.hostId) : before?.hash;
  if (previous !== undefined && previous !== record.previousHash) {
    return "it does not name the hash of the act before";
  }
  if (before && BigInt(before.record.runNs) > BigInt(record.runNs)) {
    return "it states less run time than the act before";
  }
  const after = known.get(record.seq + 1);
  if (after && after.record.previousHash !== hash) return "the act behind it names another hash";
  if (after && BigInt(after.record.runNs) < BigInt(record.runNs)) {
    return "it states more run time than the act behind it";
  }
  return null;
}
