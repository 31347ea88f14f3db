import { z } from "zod";
import { TRANSACTION_KINDS } from "../../billing/postings.ts";
import { idSchema, instantText, integerText, nameText, naturalText } from "../../unit/schema.ts";

/** How money is shown: micro-units as decimal strings. */

const partyName = z.strictObject({ id: idSchema("party"), name: nameText });
const named = z.strictObject({ id: z.string(), name: z.string() });

export const feePpm = z.number().int().min(0).max(1_000_000);

export const accountView = z.strictObject({
  party: partyName,
  currency: z.string(),
  /** What was deposited, less what was withdrawn and billed. */
  balanceMicros: integerText,
  holdsMicros: naturalText,
  creditLimitMicros: naturalText,
  /** balance − holds + credit limit: what can still be booked. Below zero nothing can. */
  freeMicros: integerText,
  /** What is held at present, newest first; of very many the newest alone. */
  holds: z.array(
    z.strictObject({
      leaseId: idSchema("lease"),
      amountMicros: naturalText,
      createdAt: instantText,
    }),
  ),
  /** By bills, less the operator's fee. */
  earnedMicros: integerText,
  paidOutMicros: integerText,
  /** earned − paid out, to the micro-unit. */
  earningsMicros: integerText,
  /** What of it can be paid out: whole minor units. */
  payoutDueMicros: naturalText,
  /** For the operator: what the server itself has. */
  server: z
    .strictObject({ cashMicros: integerText, feeMicros: integerText, roundingMicros: integerText })
    .nullable(),
});

export const ACCOUNT_KINDS = ["funds", "earnings", "cash", "fee", "rounding"] as const;

export const statementView = z.strictObject({
  party: partyName,
  currency: z.string(),
  /** In which days and months were meant. */
  timeZone: z.string(),
  from: instantText,
  /** What happened at this instant belongs to the next statement. */
  to: instantText,
  accounts: z.array(
    z.strictObject({
      account: z.enum(ACCOUNT_KINDS),
      openingMicros: integerText,
      closingMicros: integerText,
    }),
  ),
  /** Oldest first. */
  lines: z.array(
    z.strictObject({
      transactionId: idSchema("transaction"),
      at: instantText,
      kind: z.enum(TRANSACTION_KINDS),
      account: z.enum(ACCOUNT_KINDS),
      /** More is positive. Cash counts as what is there. */
      amountMicros: integerText,
      /** Of the account, after it. */
      balanceMicros: integerText,
      memo: z.string(),
      /** Everybody whose accounts it moved. */
      parties: z.array(nameText),
      billId: idSchema("bill").nullable(),
      leaseId: idSchema("lease").nullable(),
      host: z.string().nullable(),
      reverses: idSchema("transaction").nullable(),
    }),
  ),
  nextCursor: z.string().nullable(),
});

export const payoutDueView = z.strictObject({
  lender: partyName,
  earnedMicros: integerText,
  paidOutMicros: integerText,
  dueMicros: naturalText,
});

export const feesView = z.strictObject({
  /** Of every lender that has no rate of its own. */
  feePpm,
  setAt: instantText,
  lenders: z.array(z.strictObject({ lender: partyName, feePpm, setAt: instantText })),
});

export const TOTALS_BY = ["host", "lender", "client", "month"] as const;

export const billTotalsView = z.strictObject({
  by: z.enum(TOTALS_BY),
  currency: z.string(),
  timeZone: z.string(),
  totals: z.array(
    z.strictObject({
      /** A host or party by id and name; a month like 2026-11 twice. */
      of: named,
      /** Of a host: whose it is. */
      lender: partyName.nullable(),
      bills: z.number().int(),
      /** What clients pay. It is earnings, fee and rounding together. */
      totalMicros: integerText,
      earningsMicros: integerText,
      feeMicros: integerText,
      roundingMicros: integerText,
    }),
  ),
  nextCursor: z.string().nullable(),
});
