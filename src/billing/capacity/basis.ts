import type { Act, HashedAct } from "../../enablement/capacity/act.ts";
import type { CapacityChain } from "../../enablement/capacity/act-store.ts";
import type { HashedRecord, UsageRecord } from "../../meter/record.ts";
import type { RatedChain } from "../../rating/capacity.ts";
import type { CapacityBill } from "./bill.ts";

export type TimeToBillAct = Act & { readonly act: Extract<Act["act"], { kind: "time-to-bill" }> };

export function isTimeToBill<A extends HashedAct>(act: A): act is A & { record: TimeToBillAct } {
  return act.record.act.kind === "time-to-bill";
}

export interface CapacityBasis {
  readonly chains: readonly RatedChain[];
  /** Named by a time to bill up to this one, and not there. */
  readonly missing: CapacityBill["evidence"]["missing"];
  readonly missingActs: CapacityBill["evidence"]["missingActs"];
}

interface BasisFacts {
  /** Times to bill that are known, by number. */
  readonly acts: readonly TimeToBillAct[];
  /** Acts that lack, of whatever kind. */
  readonly missingActs: CapacityBill["evidence"]["missingActs"];
  readonly chains: readonly CapacityChain[];
  readonly recordsOf: (chainId: string) => readonly HashedRecord[];
}

/**
 * What a time to bill is billed from: of every chain the records that it or an earlier one named,
 * each for its own period, up to the first that is missing. Behind a gap nothing of the partition
 * is rated, since what lies before it is not known; nor, while acts lack, behind a chain of which
 * they may name more.
 */
export function basisOf({ acts, missingActs, chains, recordsOf }: BasisFacts): CapacityBasis {
  const missing: CapacityBill["evidence"]["missing"][number][] = [];
  const broken = new Set<string>();
  const rated: RatedChain[] = [];
  const heads = headsOf(acts);
  const namedBy = namingsOf(acts);
  for (const chain of chains) {
    const { chainId, partitionId, mode, resource } = chain;
    const named = heads.get(chainId) ?? new Map<string, number>();
    const head = Math.max(0, ...named.values());
    const known = recordsOf(chainId);
    const there = known.filter(({ record }) => record.seq <= head);
    const run = upToGap(there);
    for (const range of gapsOf(there, head)) missing.push({ chainId, ...range });
    const place = [partitionId, mode, resource].join(" ");
    const records = broken.has(place) ? [] : run.filter((one) => isNamed(one, named));
    const isAllNamed = head > 0 && known.every((one) => isNamed(one, named));
    if (run.length < head || (missingActs.length > 0 && !isAllNamed)) broken.add(place);
    rated.push({
      ...{ chainId, mode, resource, codeId: chain.codeId, records, known: upToGap(known) },
      namedBy,
      partition: { id: partitionId, name: chain.partitionName },
    });
  }
  const begun = new Set<string>(chains.map(({ chainId }) => chainId));
  for (const [chainId, named] of heads) {
    const head = Math.max(0, ...named.values());
    if (begun.has(chainId) || head === 0) continue;
    missing.push({ chainId: chainId as `chain_${string}`, fromSeq: 1, toSeq: head });
  }
  return { chains: rated, missing, missingActs };
}

/** By chain and period, the last record that belongs to what is billed. */
function headsOf(acts: readonly TimeToBillAct[]): ReadonlyMap<string, Map<string, number>> {
  const heads = new Map<string, Map<string, number>>();
  for (const { act } of acts) {
    for (const { chainId, seq } of act.chains) {
      const named = heads.get(chainId) ?? new Map<string, number>();
      named.set(act.period.start, Math.max(seq, named.get(act.period.start) ?? 0));
      heads.set(chainId, named);
    }
  }
  return heads;
}

/** The acts that name a chain in a period, in order; whoever is rated was named. */
function namingsOf(acts: readonly TimeToBillAct[]) {
  const namings = new Map<string, { head: number; seq: number; atMs: number }[]>();
  for (const { seq, at, act } of acts) {
    for (const { chainId, seq: head } of act.chains) {
      const key = `${chainId} ${act.period.start}`;
      const known = namings.get(key) ?? [];
      namings.set(key, known);
      known.push({ head, seq, atMs: Date.parse(at) });
    }
  }
  return ({ chainId, seq, capacity }: UsageRecord) => {
    const known = namings.get(`${chainId} ${capacity?.period.start}`);
    const found = known?.find(({ head }) => head >= seq);
    if (!found) throw new Error(`record ${seq} of ${chainId} is named by no act`);
    return found;
  };
}

function upToGap(known: readonly HashedRecord[]): readonly HashedRecord[] {
  const gap = known.findIndex(({ record }, index) => record.seq !== index + 1);
  return gap < 0 ? known : known.slice(0, gap);
}

function isNamed({ record }: HashedRecord, named: ReadonlyMap<string, number>): boolean {
  return record.seq <= (named.get(record.capacity?.period.start ?? "") ?? 0);
}

function gapsOf(there: readonly HashedRecord[], head: number) {
  const gaps: { fromSeq: number; toSeq: number }[] = [];
  let next = 1;
  for (const { record } of there) {
    if (record.seq > next) gaps.push({ fromSeq: next, toSeq: record.seq - 1 });
    next = record.seq + 1;
  }
  if (next <= head) gaps.push({ fromSeq: next, toSeq: head });
  return gaps;
}
