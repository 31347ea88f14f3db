import type { MarketTerms } from "../market/offer.ts";
import { refusal } from "../refusal/refusal.ts";
import { formatMoneyMicros } from "../unit/money.ts";

/** The least that money can be paid in. */
export function minorUnitMicros({ minorUnitDigits }: MarketTerms): bigint {
  return 10n ** BigInt(6 - minorUnitDigits);
}

/** Money that changes hands: more than nothing, in whole minor units. Refuses invalid-input. */
export function readAmountMicros(text: string, what: string, terms: MarketTerms): bigint {
  const amountMicros = BigInt(text);
  if (amountMicros === 0n) {
    throw refusal("invalid-input", { message: `a ${what} of nothing; give an amount like 10.00` });
  }
  const least = minorUnitMicros(terms);
  if (amountMicros % least !== 0n) {
    throw refusal("invalid-input", {
      message: `money comes in steps of ${formatMoneyMicros(least)}; round the amount`,
    });
  }
  return amountMicros;
}
