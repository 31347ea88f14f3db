import { SHORT_KINDS } from "./resolve-id.ts";

const WHOLE = new RegExp(`^(?:${SHORT_KINDS.join("|")})_[0-9a-hjkmnp-tv-z]{22}$`);

/** An id begins with nine characters of time. With one more, two of one moment mostly differ. */
const SHOWN_MIN = 10;

/** Cells that are whole ids become as short as tells them apart, where such ids are taken short. */
export function shortenIds(cells: readonly string[]): string[] {
  const ids = cells.filter((cell) => WHOLE.test(cell));
  return cells.map((cell) => (WHOLE.test(cell) ? shortest(cell, ids) : cell));
}

function shortest(id: string, all: readonly string[]): string {
  const others = all.filter((other) => other !== id);
  let length = id.indexOf("_") + 1 + SHOWN_MIN;
  while (others.some((other) => other.startsWith(id.slice(0, length)))) length++;
  return id.slice(0, length);
}
