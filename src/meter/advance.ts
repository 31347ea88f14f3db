import { isMonthEdgeBetween } from "../unit/month.ts";
import {
  type ChainTerms,
  closeInterval,
  extend,
  type OpenInterval,
  openInterval,
} from "./interval.ts";
import type { Reading } from "./reading.ts";
import type { HashedRecord } from "./record.ts";
import { type Usage, usageBetween } from "./usage.ts";

/** Where the metering of one lease stands; all that must outlive the agent. */
export interface ChainState {
  readonly terms: ChainTerms;
  /** 0 while there is no record. */
  readonly lastSeq: number;
  /** The chain's origin while there is no record. */
  readonly lastHash: string;
  readonly open: OpenInterval | null;
  readonly lastReading: Reading | null;
  /** The final record is written. */
  readonly closed: boolean;
}

export interface AdvanceOptions {
  /** Readings farther apart than this leave time that nobody witnessed. */
  readonly gapAfterNs: bigint;
  /** An interval at least this long becomes a record. */
  readonly recordEveryNs: bigint;
  /** Where a month ends in this time zone, a record ends too: bills are cut there. */
  readonly billingTimeZone?: string | undefined;
  /** Nothing follows this reading. */
  readonly final?: boolean;
}

/**
 * Takes one reading into an open chain and gives the records that it completes. The same reading
 * again adds nothing. The time between two boots of the host becomes a record of its own, so that
 * all other records can be checked against the monotonic clock. A final reading always completes a
 * record, with zero quantities when it is also the first.
 */
export function advance(
  state: ChainState,
  reading: Reading,
  options: AdvanceOptions,
): { readonly state: ChainState; readonly records: readonly HashedRecord[] } {
  if (state.closed)
    throw new Error(`chain ${state.terms.chainId} takes no reading after its final`);
  const records: HashedRecord[] = [];
  let { lastSeq, lastHash } = state;
  const close = (open: OpenInterval, final: boolean): void => {
    const place = { ...state.terms, seq: lastSeq + 1, previousHash: lastHash, final };
    const hashed = closeInterval(open, place);
    records.push(hashed);
    lastSeq = hashed.record.seq;
    lastHash = hashed.hash;
  };

  const last = state.lastReading;
  let open = state.open ?? openInterval(last ?? reading);
  const isEdge = last !== null && isEdgeBetween(last, reading, options);
  if (last !== null) {
    const usage = usageBetween(last, reading, options);
    if (last.bootId === reading.bootId) {
      const isChange = state.terms.cpuMode === "shared" && changesDelivery(open, usage);
      // What straddles the edge is no longer than what lies between two readings.
      if (isChange || (isEdge && open.elapsedNs > 0n)) {
        close(open, false);
        open = openInterval(last);
      }
      open = extend(open, usage, reading);
    } else {
      if (open.elapsedNs > 0n) close(open, false);
      close(extend(openInterval(last), usage, reading), false);
      open = openInterval(reading);
    }
  }
  const final = options.final === true;
  if (final || (open.elapsedNs > 0n && (isEdge || open.elapsedNs >= options.recordEveryNs))) {
    close(open, final);
    open = openInterval(reading);
  }
  const next = { terms: state.terms, lastSeq, lastHash, lastReading: reading, closed: final };
  return { state: { ...next, open: final ? null : open }, records };
}

function isEdgeBetween(last: Reading, next: Reading, { billingTimeZone }: AdvanceOptions): boolean {
  if (billingTimeZone === undefined) return false;
  return isMonthEdgeBetween(new Date(last.at), new Date(next.at), billingTimeZone);
}

function changesDelivery(open: OpenInterval, usage: Usage): boolean {
  if (open.elapsedNs === 0n || usage.elapsedNs === 0n) return false;
  return open.deliveredNs > 0n !== usage.deliveredNs > 0n;
}
