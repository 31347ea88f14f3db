import { readBillTotals } from "../../billing/totals-store.ts";
import type { Handler } from "../handler.ts";
import { readPeriod } from "../period.ts";

/** A party's own bills; an operator's are everybody's. */
export const totalBills: Handler<"totalBills"> = async (context, { caller, query }) => {
  const { db, terms, billingTimeZone: timeZone } = context;
  const { by, cursor, limit } = query;
  const partyId = caller.roles.includes("operator") ? null : caller.partyId;
  const period = readPeriod(query, timeZone);
  const totals = await readBillTotals(db.kysely, {
    ...{ by, partyId, ...period, timeZone, cursor, limit },
  });
  return {
    by,
    currency: terms.currency,
    timeZone,
    totals: totals.map((total) => ({
      of: total.of,
      lender: total.lender && { ...total.lender },
      bills: total.bills,
      totalMicros: total.totalMicros.toString(),
      earningsMicros: total.earningsMicros.toString(),
      feeMicros: total.feeMicros.toString(),
      roundingMicros: total.roundingMicros.toString(),
    })),
    nextCursor: totals.length === limit ? (totals.at(-1)?.of.id ?? null) : null,
  };
};
