import { divideHalfEven } from "../unit/money.ts";
import type { BillDocument } from "./bill.ts";

export interface Posting {
  readonly account: "funds" | "earnings" | "fee" | "rounding";
  readonly partyRole: "client" | "lender" | "operator";
  /** Credits are positive, debits negative. Never zero. */
  readonly amountMicros: bigint;
}

/**
 * What a closed bill moves; the entries sum to zero. The client pays the rounded total; the lender
 * earns the exact sum less the operator's fee; what rounding took or gave is the operator's.
 */
export function billPostings(
  bill: Pick<BillDocument, "sumMicros" | "totalMicros" | "remainderMicros">,
  feePpm: number,
): readonly Posting[] {
  const sumMicros = BigInt(bill.sumMicros);
  const feeMicros = divideHalfEven(sumMicros * BigInt(feePpm), PARTS_PER_MILLION);
  const postings: readonly Posting[] = [
    { account: "funds", partyRole: "client", amountMicros: -BigInt(bill.totalMicros) },
    { account: "earnings", partyRole: "lender", amountMicros: sumMicros - feeMicros },
    { account: "fee", partyRole: "operator", amountMicros: feeMicros },
    { account: "rounding", partyRole: "operator", amountMicros: -BigInt(bill.remainderMicros) },
  ];
  const balanceMicros = postings.reduce((sum, posting) => sum + posting.amountMicros, 0n);
  if (balanceMicros !== 0n) {
    throw new Error(`the bill's sum, total and remainder disagree by ${balanceMicros} micros`);
  }
  return postings.filter((posting) => posting.amountMicros !== 0n);
}

const PARTS_PER_MILLION = 1_000_000n;
