import { InputError } from "../../unit/quantity.ts";

/** `5`, `2.5` or `2.5%` in parts per million; four decimals at most, so nothing is rounded. */
export function parsePercentPpm(text: string): number {
  const match = /^(\d{1,3})(?:\.(\d{1,4}))?\s*%?$/.exec(text.trim());
  const ppm = match ? Number(match[1]) * 10_000 + Number((match[2] ?? "").padEnd(4, "0")) : -1;
  if (ppm < 0 || ppm > 1_000_000) {
    throw new InputError(`"${text}" is not a percentage; write it like 5 or 2.5, at most 100`);
  }
  return ppm;
}
