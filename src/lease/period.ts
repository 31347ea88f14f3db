/** Half-open: the end is no part of it. */
export interface Period {
  readonly start: Date;
  /** Null: for ever. */
  readonly end: Date | null;
}

/** The stretches of `[from, ∞)` that none of `taken` covers, in order. */
export function gapsBetween(from: Date, taken: readonly Period[]): Period[] {
  const gaps: Period[] = [];
  let start: Date | null = from;
  for (const period of taken.toSorted((a, b) => a.start.getTime() - b.start.getTime())) {
    if (start === null) break;
    if (period.end !== null && period.end <= start) continue;
    if (period.start > start) gaps.push({ start, end: period.start });
    start = period.end;
  }
  if (start !== null) gaps.push({ start, end: null });
  return gaps;
}
