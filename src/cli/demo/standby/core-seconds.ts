/** Nanoseconds of a core, for a person: `2.41`. */
export function inSeconds(ns: bigint): string {
  return (Number(ns / 1_000_000n) / 1000).toFixed(2);
}
