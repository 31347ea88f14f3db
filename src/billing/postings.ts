import { partMicros } from "../unit/money.ts";
import type { BillDocument } from "./bill.ts";

/** What money moves for. */
export const TRANSACTION_KINDS = ["deposit", "withdrawal", "bill", "payout", "reversal"] as const;
export type TransactionKind = (typeof TRANSACTION_KINDS)[number];

export interface Posting {
  readonly account: "funds" | "earnings" | "fee" | "rounding";
  readonly partyRole: "client" | "lender" | "operator";
  /** Credits are positive, debits negative. Never zero. */
  readonly amountMicros: bigint;
}

/** What of a bill moves money. A bill that corrects another may be negative in all three. */
export type BillAmounts = Pick<BillDocument, "sumMicros" | "totalMicros" | "remainderMicros">;

/** Of the bill's own tariff, as it was when the lease was booked; or what a bill of several came to. */
export type FeeTerms = { readonly operatorFeePpm: number } | { readonly feeMicros: bigint };

/**
 * What a closed bill moves; the entries sum to zero. The client pays the rounded total; the lender
 * earns the exact sum less the operator's fee; what rounding took or gave is the operator's. A bill
 * of the opposite sum moves the opposite.
 */
export function postingsOfBill(bill: BillAmounts, terms: FeeTerms): readonly Posting[] {
  const sumMicros = BigInt(bill.sumMicros);
  // Rounded once a bill; the rest of the sum is the lender's.
  const feeMicros =
    "feeMicros" in terms ? terms.feeMicros : partMicros(sumMicros, terms.operatorFeePpm);
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
