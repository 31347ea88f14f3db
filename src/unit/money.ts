import { InputError } from "./quantity.ts";

/** Money is a whole number of micro-units of the server's one currency. */
export const MICROS_PER_UNIT = 1_000_000n;

/** `1`, `0.10`, `12.345678`; at most six decimals, so nothing is rounded on the way in. */
export function parseMoneyMicros(text: string): bigint {
  const match = /^(\d{1,12})(?:\.(\d{1,6}))?$/.exec(text.trim());
  if (!match) {
    throw new InputError(
      `"${text}" is not an amount of money; write it like 0.10, six decimals at most`,
    );
  }
  return BigInt(match[1] ?? "0") * MICROS_PER_UNIT + BigInt((match[2] ?? "").padEnd(6, "0"));
}

/** A price per hour as people say it: `0.10/h`, or plain `0.10`. */
export function parsePriceMicrosPerHour(text: string): bigint {
  return parseMoneyMicros(text.trim().replace(/\s*\/\s*h(our)?$/, ""));
}

/** At least two decimals, at most six, exact: `0.10`, `0.000004`, `-3.50`. */
export function formatMoneyMicros(micros: bigint): string {
  const absolute = micros < 0n ? -micros : micros;
  const fraction = (absolute % MICROS_PER_UNIT)
    .toString()
    .padStart(6, "0")
    .replace(/0{1,4}$/, "");
  return `${micros < 0n ? "-" : ""}${absolute / MICROS_PER_UNIT}.${fraction}`;
}

/**
 * `numerator / denominator` rounded to a whole number, halves to the even neighbour (the banker's
 * rule, so that many bills do not drift one way). The denominator must be positive.
 */
export function divideHalfEven(numerator: bigint, denominator: bigint): bigint {
  if (denominator <= 0n) throw new RangeError("the denominator must be positive");
  let quotient = numerator / denominator;
  let remainder = numerator % denominator;
  if (remainder < 0n) {
    remainder += denominator;
    quotient -= 1n;
  }
  const twice = remainder * 2n;
  const up = twice > denominator || (twice === denominator && quotient % 2n !== 0n);
  return up ? quotient + 1n : quotient;
}

/** So many parts per million of an amount, half-even to the micro-unit; of less than nothing too. */
export function partMicros(micros: bigint, ppm: number): bigint {
  return divideHalfEven(micros * BigInt(ppm), PARTS_PER_MILLION);
}

const PARTS_PER_MILLION = 1_000_000n;

/** `numerator / denominator` rounded up: what a hold must cover at the least. */
export function divideUp(numerator: bigint, denominator: bigint): bigint {
  if (numerator < 0n || denominator <= 0n)
    throw new RangeError("expected amounts that are not negative");
  return (numerator + denominator - 1n) / denominator;
}
