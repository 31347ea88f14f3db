/** A host's ledger as it was when a batch of acts was signed. */
export interface ActsHead {
  readonly seq: number;
  readonly hash: string;
  readonly atMs: number;
  readonly runNs: bigint;
}

/** A host's clock may be put right by so much without its run time telling of it. */
const CLOCK_SLACK_MS = 60_000;

/**
 * Why a head shows that the host's state was set back, against another that it signed; null: both
 * fit one history. Files come in any order, so an old head is no sign by itself: what counts is
 * that a later one of the two has less.
 */
export function setBackBy(a: ActsHead, b: ActsHead): string | null {
  if (a.seq === b.seq && a.hash !== b.hash) return `act ${a.seq} has two different hashes`;
  const [less, more] = a.runNs <= b.runNs ? [a, b] : [b, a];
  if (less.seq > more.seq && less.runNs < more.runNs) {
    return `it had ${less.seq} acts, and ${more.seq} after it had run for longer`;
  }
  if (less.runNs < more.runNs && less.atMs > more.atMs + CLOCK_SLACK_MS) {
    return "it states less run time at a later instant";
  }
  return null;
}
