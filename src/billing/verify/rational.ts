/**
 * Exact fractions that are not negative. The verifier has arithmetic of its own, written another
 * way than the biller's, so that one mistake cannot be in both.
 */
export interface Rational {
  readonly over: bigint;
  readonly under: bigint;
}

export function rational(over: bigint, under: bigint = 1n): Rational {
  if (over < 0n || under <= 0n) throw new RangeError("expected a fraction that is not negative");
  return { over, under };
}

export function multiply(a: Rational, b: Rational): Rational {
  return { over: a.over * b.over, under: a.under * b.under };
}

export function divide(a: Rational, b: Rational): Rational {
  return rational(a.over * b.under, a.under * b.over);
}

export function roundDown({ over, under }: Rational): bigint {
  return over / under;
}

export function roundUp(value: Rational): bigint {
  const down = roundDown(value);
  return down * value.under === value.over ? down : down + 1n;
}

/** To the nearer neighbour; from the very middle to the even one. */
export function roundHalfEven(value: Rational): bigint {
  const down = roundDown(value);
  const up = roundUp(value);
  const toDown = value.over - down * value.under;
  const toUp = up * value.under - value.over;
  if (toDown !== toUp) return toDown < toUp ? down : up;
  return down % 2n === 0n ? down : up;
}
