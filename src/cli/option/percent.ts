import { InputError } from "../../unit/quantity.ts";

/** `5`, `2.5`, `2.5%` or `250bp` in parts per million; four decimals at most, so nothing is rounded. */
export function parsePercentPpm(text: string): number {
  const ppm = readBasisPoints(text.trim()) ?? readPercent(text.trim()) ?? -1;
  if (ppm < 0 || ppm > 1_000_000) {
    throw new InputError(`"${text}" is not a percentage; write it like 5 or 2.5, at most 100`);
  }
  return ppm;
}

function readBasisPoints(text: string): number | undefined {
  const match = /^(\d{1,5})\s*bp$/.exec(text);
  return match ? Number(match[1]) * 100 : undefined;
}

function readPercent(text: string): number | undefined {
  const match = /^(\d{1,3})(?:\.(\d{1,4}))?\s*%?$/.exec(text);
  return match ? Number(match[1]) * 10_000 + Number((match[2] ?? "").padEnd(4, "0")) : undefined;
}

/** The shortest exact form: `2.5%`. */
export function formatPercent(ppm: number): string {
  const decimals = (ppm % 10_000).toString().padStart(4, "0").replace(/0+$/, "");
  return `${Math.floor(ppm / 10_000)}${decimals && `.${decimals}`}%`;
}
