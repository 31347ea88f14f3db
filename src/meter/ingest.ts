import type { CpuMode } from "../unit/schema.ts";
import { type Size, sizesEqual } from "../unit/size.ts";
import { chainOrigin, checkLink, hashRecord } from "./chain.ts";
import type { HashedRecord, UsageBatch } from "./record.ts";

/** What the server knows of the chain that a batch belongs to. */
export interface ChainTerms {
  readonly hostId: string;
  readonly partitionId: string;
  readonly cpuMode: CpuMode;
  readonly size: Size;
  readonly grantJws: string;
  /** The number of the chain's last record, once the host has signed it. */
  readonly seqFinal: number | null;
}

export type IngestDecision =
  /** `fresh`: the records that were not there before. */
  | { readonly ok: true; readonly fresh: readonly HashedRecord[] }
  | { readonly ok: false; readonly code: "conflict"; readonly seq: number }
  | {
      readonly ok: false;
      readonly code: "refused";
      readonly seq: number;
      readonly message: string;
    };

/**
 * Which records of a batch to take. Any order and any number of times: what is stored already is
 * passed over if it is the same to the letter, and is a conflict otherwise. `stored` holds what is
 * there of the batch's own numbers and of both neighbours.
 */
export function decideIngest(
  batch: UsageBatch,
  terms: ChainTerms,
  stored: ReadonlyMap<number, HashedRecord>,
): IngestDecision {
  const fresh: HashedRecord[] = [];
  const known = new Map(stored);
  for (const hashed of batch.records.toSorted((a, b) => a.record.seq - b.record.seq)) {
    const { seq } = hashed.record;
    const existing = known.get(seq);
    if (existing) {
      if (existing.hash !== hashed.hash) return { ok: false, code: "conflict", seq };
      continue;
    }
    const fault = identityFault(batch, hashed, terms) ?? linkFault(hashed, terms, known);
    if (fault !== null) return { ok: false, code: "refused", seq, message: fault };
    known.set(seq, hashed);
    fresh.push(hashed);
  }
  return { ok: true, fresh };
}

/** Numbers whose stored records the decision needs. */
export function neighbouringSeqs(batch: UsageBatch): number[] {
  const seqs = batch.records.flatMap(({ record: { seq } }) => [seq - 1, seq, seq + 1]);
  return [...new Set(seqs)].filter((seq) => seq > 0);
}

function identityFault(
  batch: UsageBatch,
  { record }: HashedRecord,
  terms: ChainTerms,
): string | null {
  if (record.chainId !== batch.chainId) return "it belongs to another chain";
  if (record.hostId !== terms.hostId) return "it names another host";
  if (record.partitionId !== terms.partitionId) return "it names another partition";
  if (terms.seqFinal !== null && record.seq > terms.seqFinal) {
    return `the chain ended with record ${terms.seqFinal}`;
  }
  if (record.cpuMode !== terms.cpuMode || !sizesEqual(record.size, terms.size)) {
    return "it states another size than was granted";
  }
  return null;
}

function linkFault(
  hashed: HashedRecord,
  terms: ChainTerms,
  known: ReadonlyMap<number, HashedRecord>,
): string | null {
  const { seq } = hashed.record;
  if (hashRecord(hashed.record) !== hashed.hash) return "it does not have the hash it states";
  const before = seq === 1 ? chainOrigin(terms.grantJws) : known.get(seq - 1);
  if (before !== undefined) {
    const link = checkLink(before, hashed);
    if (!link.ok) return link.message;
  }
  const after = known.get(seq + 1);
  if (after !== undefined) {
    const link = checkLink(hashed, after);
    if (!link.ok) return link.message;
  }
  return null;
}
