import type { CodeId, PartyId } from "../../unit/id.ts";
import type { CapacityResource } from "./resource.ts";

/** What is left of one accepted code. Quantities in milliCore- or byte-nanoseconds. */
export interface CodeAccount {
  readonly codeId: CodeId;
  readonly providerId: PartyId;
  readonly resource: CapacityResource;
  /** The most at once, in milliCores or bytes. */
  readonly quantity: number;
  readonly resourceTime: bigint;
  readonly debited: bigint;
  readonly validFromMs: number;
  readonly validUntilMs: number;
}

/** What one piece of use took from which code, and what no code was left for. */
export interface Draw {
  readonly debits: readonly { readonly codeId: CodeId; readonly quantity: bigint }[];
  readonly overdraft: bigint;
}

export function leftOf({ resourceTime, debited }: CodeAccount): bigint {
  return resourceTime > debited ? resourceTime - debited : 0n;
}

/** Those in force at an instant with something left, in the order in which they are used. */
export function inForce(accounts: readonly CodeAccount[], atMs: number): readonly CodeAccount[] {
  return accounts
    .filter(({ validFromMs, validUntilMs }) => validFromMs <= atMs && atMs < validUntilMs)
    .filter((account) => leftOf(account) > 0n)
    .toSorted((a, b) => a.validUntilMs - b.validUntilMs || (a.codeId < b.codeId ? -1 : 1));
}

/**
 * Takes `amount` from the codes: from the one that expires first, then the next. Every code keeps
 * its own terms, so the draw says what came from which. What is left over is overdraft: nothing is
 * lost and nothing is taken twice.
 */
export function draw(accounts: readonly CodeAccount[], atMs: number, amount: bigint): Draw {
  let rest = amount;
  const debits: { codeId: CodeId; quantity: bigint }[] = [];
  for (const account of inForce(accounts, atMs)) {
    if (rest === 0n) break;
    const left = leftOf(account);
    const quantity = lesser(left, rest);
    debits.push({ codeId: account.codeId, quantity });
    rest -= quantity;
  }
  return { debits, overdraft: rest };
}

/** The most that may be in service at an instant by these codes together: a second code adds. */
export function quantityInForce(accounts: readonly CodeAccount[], atMs: number): number {
  return inForce(accounts, atMs).reduce((sum, { quantity }) => sum + quantity, 0);
}

/**
 * In how many nanoseconds the codes are used up when `quantity` is debited all the time; null when
 * nothing is. Codes that expire before they are used up end there.
 */
export function runsOutInNs(
  accounts: readonly CodeAccount[],
  atMs: number,
  quantity: number,
): bigint | null {
  if (quantity <= 0) return null;
  const per = BigInt(quantity);
  let ns = 0n;
  for (const account of inForce(accounts, atMs)) {
    const untilEndNs = BigInt(account.validUntilMs - atMs) * 1_000_000n;
    const lastsNs = leftOf(account) / per;
    const usable = untilEndNs - ns < lastsNs ? untilEndNs - ns : lastsNs;
    if (usable > 0n) ns += usable;
  }
  return ns;
}

function lesser(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}
