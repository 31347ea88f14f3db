import type { ChainState } from "./advance.ts";
import type { RecordCapacity } from "./capacity-record.ts";
import { divide } from "./divide.ts";
import { closeInterval, extend, type OpenInterval, openInterval } from "./interval.ts";
import type { Reading } from "./reading.ts";
import type { HashedRecord } from "./record.ts";
import { usageBetween } from "./usage.ts";

export interface CapacityAdvance {
  /** An interval at least this long becomes a record. */
  readonly recordEveryNs: bigint;
  /** Instants at which a record ends, ascending; those between the readings are looked at. */
  readonly edgesMs: readonly number[];
  /** A reading that comes later than this after an edge divides what nobody saw. */
  readonly lateAfterMs: number;
  /** What is open ends here as a record, if anything is. */
  readonly close?: boolean;
  /** Nothing follows this reading. */
  readonly final?: boolean;
  /** What the record of this interval says of capacity; asked once for each, in order. */
  readonly describe: (interval: OpenInterval) => RecordCapacity;
}

/**
 * Takes one reading of enabled capacity into its chain and gives the records that it completes.
 * `answered` means here: the resource was in service in a guest that ran. The same process with the
 * resource at both readings had it all the time between, however long nobody looked: only this
 * host's agent takes it out. A record lies within one boot, or is the time between two; and it lies
 * between two edges.
 */
export function advanceCapacity(
  state: ChainState,
  reading: Reading,
  options: CapacityAdvance,
): { readonly state: ChainState; readonly records: readonly HashedRecord[] } {
  const { terms } = state;
  if (state.closed) throw new Error(`chain ${terms.chainId} takes no reading after its final`);
  const records: HashedRecord[] = [];
  let { lastSeq, lastHash } = state;
  const close = (open: OpenInterval, final = false): void => {
    const place = { ...terms, seq: lastSeq + 1, previousHash: lastHash, final };
    const hashed = closeInterval(open, place, options.describe(open));
    records.push(hashed);
    lastSeq = hashed.record.seq;
    lastHash = hashed.hash;
  };

  const last = state.lastReading;
  let open = state.open ?? openInterval(last ?? reading);
  if (last !== null) {
    const usage = usageBetween(last, reading, { gapAfterNs: NEVER_NS });
    let { bootId } = last;
    for (const part of divide(last, reading, usage, options)) {
      if (part.to.bootId === bootId) {
        open = extend(open, part, part.to);
        if (!part.endsAtEdge) continue;
        close(open);
      } else {
        if (open.elapsedNs > 0n) close(open);
        close(extend(openInterval(last), part, part.to));
        bootId = part.to.bootId;
      }
      open = openInterval(part.to);
    }
  }
  const final = options.final === true;
  const isDue = open.elapsedNs >= options.recordEveryNs || options.close === true;
  if (final || (open.elapsedNs > 0n && isDue)) {
    close(open, final);
    open = openInterval(reading);
  }
  const next = { terms, lastSeq, lastHash, lastReading: reading, closed: final };
  return { state: { ...next, open: final ? null : open }, records };
}

/** No length of time is a gap by itself. */
const NEVER_NS = 2n ** 80n;
