import type { LeaseId } from "../unit/id.ts";
import { type AdvanceOptions, advance, type ChainState } from "./advance.ts";
import { chainOrigin } from "./chain.ts";
import type { ChainTerms } from "./interval.ts";
import type { Reading } from "./reading.ts";
import type { HashedRecord } from "./record.ts";

/** For tests: a lease that is metered every ten seconds. */
export const SAMPLE_TERMS: ChainTerms & { readonly chainId: LeaseId } = {
  chainId: "lease_01k0000000000000000000",
  hostId: "host_01k0000000000000000000",
  partitionId: "partition_01k0000000000000000000",
  cpuMode: "dedicated",
  size: { cpuMilli: 1500, memoryBytes: 3 * 2 ** 29, diskBytes: 5 * 2 ** 30 },
};

export const SAMPLE_OPTIONS: AdvanceOptions = {
  gapAfterNs: 30_000_000_000n,
  recordEveryNs: 60_000_000_000n,
};

const BEGIN_MS = Date.parse("2027-01-31T08:00:00Z");

/** The reading at so many seconds; the guest runs on half a core and answers. */
export function sampleReading(second: number, changed: Partial<Reading> = {}): Reading {
  return {
    at: new Date(BEGIN_MS + second * 1000).toISOString(),
    bootId: "boot-a",
    monotonicNs: 7_000_000_000_000n + BigInt(Math.round(second * 1000)) * 1_000_000n,
    processId: "4711:99",
    cpuNs: BigInt(Math.round(second * 500)) * 1_000_000n,
    answered: true,
    ...changed,
  };
}

export function sampleState(grantJws: string, terms: ChainTerms = SAMPLE_TERMS): ChainState {
  const lastHash = chainOrigin(grantJws);
  return { terms, lastSeq: 0, lastHash, open: null, lastReading: null, closed: false };
}

/** The records of these readings, the last of which is final. */
export function sampleRecords(
  grantJws: string,
  readings: readonly Reading[],
  terms: ChainTerms = SAMPLE_TERMS,
  options: AdvanceOptions = SAMPLE_OPTIONS,
): readonly HashedRecord[] {
  let state = sampleState(grantJws, terms);
  return readings.flatMap((reading, index) => {
    const final = index === readings.length - 1;
    const advanced = advance(state, reading, { ...options, final });
    state = advanced.state;
    return advanced.records;
  });
}
