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
  /** Reserved for others than who draws: not there for it. Left out: nothing. */
  readonly reserved?: bigint;
  /** Reserved for who draws, and taken first. Left out: nothing. */
  readonly own?: bigint;
  readonly validFromMs: number;
  readonly validUntilMs: number;
}

/** What one piece of use took from which code, and what no code was left for. */
export interface Draw {
  readonly debits: readonly { readonly codeId: CodeId; readonly quantity: bigint }[];
  readonly overdraft: bigint;
}

export function leftOf({ resourceTime, debited, reserved = 0n }: CodeAccount): bigint {
  const taken = debited + reserved;
  return resourceTime > taken ? resourceTime - taken : 0n;
}

/** Those in force at an instant with something left, in the order in which they are used. */
export function inForce(accounts: readonly CodeAccount[], atMs: number): readonly CodeAccount[] {
  return accounts
    .filter(({ validFromMs, validUntilMs }) => validFromMs <= atMs && atMs < validUntilMs)
    .filter((account) => leftOf(account) > 0n)
    .toSorted((a, b) => a.validUntilMs - b.validUntilMs || (a.codeId < b.codeId ? -1 : 1));
}

/**
 * Takes `amount` from the codes: what is reserved for it first, then from the one that expires first,
 * then the next. Every code keeps its own terms, so the draw says what came from which. What is left
 * over is overdraft: nothing is lost and nothing is taken twice.
 */
export function draw(accounts: readonly CodeAccount[], atMs: number, amount: bigint): Draw {
  const usable = inForce(accounts, atMs);
  const taken = new Map<CodeId, bigint>();
  let rest = amount;
  const take = (account: CodeAccount, most: bigint) => {
    const before = taken.get(account.codeId) ?? 0n;
    const quantity = lesser(lesser(most, leftOf(account) - before), rest);
    if (quantity > 0n) taken.set(account.codeId, before + quantity);
    rest -= quantity;
  };
  for (const account of usable) take(account, account.own ?? 0n);
  for (const account of usable) take(account, rest);
  const debits = [...taken].map(([codeId, quantity]) => ({ codeId, quantity }));
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

/** Of two quantities. */
export function lesser(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}
