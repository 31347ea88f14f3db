import { z } from "zod";
import { idSchema, instantText, microsText } from "../../unit/schema.ts";
import {
  accountView,
  billTotalsView,
  feePpm,
  feesView,
  payoutDueView,
  statementView,
  TOTALS_BY,
} from "./account-view.ts";
import { operation } from "./operation.ts";
import { idOrName, page } from "./people.ts";

const party = z.strictObject({ party: idOrName });
/** What a person says of a posting: the bank's reference, the reason. One line. */
const memo = z
  .string()
  .regex(/^\P{Cc}{0,200}$/u, "expected one line of at most 200 characters")
  .default("");
const transactionId = idSchema("transaction");
const given = { party: idOrName, amountMicros: microsText, memo };

/** A day or month is one on the clocks of the server's billing time zone. */
const period = {
  month: z
    .string()
    .regex(/^\d{4}-\d{2}$/, "expected a month like 2026-11")
    .optional(),
  from: z.union([instantText, z.iso.date()]).optional(),
  to: z.union([instantText, z.iso.date()]).optional(),
};
const statementQuery = page.extend(period);

export const accountOperations = {
  showAccount: operation({
    method: "GET",
    path: "/v1/account",
    summary: "Balance, credit line, holds and what is free; earnings and the payout due.",
    response: accountView,
  }),
  showPartyAccount: operation({
    method: "GET",
    path: "/v1/operator/parties/:party/account",
    summary: "The account of any party.",
    params: party,
    response: accountView,
  }),
  readStatement: operation({
    method: "GET",
    path: "/v1/account/statement",
    summary: "What moved on your accounts; without a period, in the present month.",
    query: statementQuery,
    response: statementView,
  }),
  readPartyStatement: operation({
    method: "GET",
    path: "/v1/operator/parties/:party/statement",
    summary: "What moved on the accounts of any party.",
    params: party,
    query: statementQuery,
    response: statementView,
  }),
  deposit: operation({
    method: "POST",
    path: "/v1/operator/deposits",
    summary: "Money received from a party. The same depositId is posted once.",
    body: z.strictObject({ depositId: transactionId, ...given }),
    response: accountView,
  }),
  withdraw: operation({
    method: "POST",
    path: "/v1/operator/withdrawals",
    summary: "Money given back to a party, of what is free. The same withdrawalId is posted once.",
    body: z.strictObject({ withdrawalId: transactionId, ...given }),
    response: accountView,
  }),
  reverse: operation({
    method: "POST",
    path: "/v1/operator/reversals",
    summary: "Take back a deposit, withdrawal or payout that was posted by mistake.",
    body: z.strictObject({ reversalId: transactionId, transactionId, memo }),
    response: accountView,
  }),
  setCreditLimit: operation({
    method: "PUT",
    path: "/v1/operator/parties/:party/credit-limit",
    summary: "How far below nothing a party may book. A lower one ends no lease.",
    params: party,
    body: z.strictObject({ creditLimitMicros: microsText }),
    response: accountView,
  }),
  listPayouts: operation({
    method: "GET",
    path: "/v1/operator/payouts",
    summary: "Lenders to whom a payout is due.",
    query: page.extend({ minMicros: microsText.default("0") }),
    response: z.strictObject({
      currency: z.string(),
      payouts: z.array(payoutDueView),
      nextCursor: z.string().nullable(),
    }),
  }),
  payOut: operation({
    method: "POST",
    path: "/v1/operator/payouts",
    summary: "Mark a payout to a lender as paid. The same payoutId is posted once.",
    body: z.strictObject({ payoutId: transactionId, ...given }),
    response: accountView,
  }),
  listFees: operation({
    method: "GET",
    path: "/v1/operator/fees",
    summary: "The operator's part of what lenders earn by what is booked from now on.",
    response: feesView,
  }),
  setFee: operation({
    method: "PUT",
    path: "/v1/operator/fees",
    summary: "Change it for all lenders or for one; null gives one the rate of all again.",
    body: z.strictObject({ lender: idOrName.nullable(), feePpm: feePpm.nullable() }),
    response: feesView,
  }),
  totalBills: operation({
    method: "GET",
    path: "/v1/bills/totals",
    summary: "Bills that you pay or earn from, added up; the operator's are everybody's.",
    query: z.strictObject({
      by: z.enum(TOTALS_BY),
      ...period,
      /** The last key of the page before. */
      cursor: z
        .string()
        .regex(/^[a-z0-9_-]{1,64}$/)
        .optional(),
      limit: z.coerce.number().int().min(1).max(200).default(50),
    }),
    response: billTotalsView,
  }),
};
