import type { CodeId } from "../../unit/id.ts";
import { type CodeAccount, leftOf, lesser } from "./account.ts";

/** So much is to be there for all of a stretch of time. */
export interface ReserveWish {
  /** milliCores or bytes, at once. */
  readonly quantity: number;
  /** milliCore- or byte-nanoseconds in all. */
  readonly needed: bigint;
  /** A code counts that is valid for all of the stretch. */
  readonly fromMs: number;
  readonly untilMs: number;
}

export type Reserving =
  | {
      readonly ok: true;
      readonly parts: readonly { readonly codeId: CodeId; readonly quantity: bigint }[];
    }
  | {
      readonly ok: false;
      /** What those codes have that nobody has reserved. */
      readonly left: bigint;
      /** The most that they let into service at once. */
      readonly atOnce: number;
    };

/**
 * Which codes a stretch of use is reserved from: those that are valid for all of it, the one that
 * expires first before the next. All that is needed, or nothing.
 */
export function reserveTime(
  accounts: readonly CodeAccount[],
  { quantity, needed, fromMs, untilMs }: ReserveWish,
): Reserving {
  const usable = accounts
    .filter(({ validFromMs, validUntilMs }) => validFromMs <= fromMs && untilMs <= validUntilMs)
    .filter((account) => leftOf(account) > 0n)
    .toSorted((a, b) => a.validUntilMs - b.validUntilMs || (a.codeId < b.codeId ? -1 : 1));
  const left = usable.reduce((sum, account) => sum + leftOf(account), 0n);
  const atOnce = usable.reduce((sum, account) => sum + account.quantity, 0);
  if (left < needed || atOnce < quantity) return { ok: false, left, atOnce };
  const parts: { codeId: CodeId; quantity: bigint }[] = [];
  let rest = needed;
  for (const account of usable) {
    if (rest === 0n) break;
    const part = lesser(leftOf(account), rest);
    parts.push({ codeId: account.codeId, quantity: part });
    rest -= part;
  }
  return { ok: true, parts };
}
