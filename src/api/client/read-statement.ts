import {
  readStatementAccounts,
  readStatementLines,
  type StatementLine,
} from "../../billing/statement-store.ts";
import { transaction } from "../../database/transaction.ts";
import type { Party } from "../../party/store.ts";
import { monthOf } from "../../unit/day.ts";
import type { ServerContext } from "../context.ts";
import type { Query, Response } from "../contract/contract.ts";
import type { Handler } from "../handler.ts";
import { readPeriod } from "../period.ts";

export const readStatement: Handler<"readStatement"> = (context, { caller, query }) =>
  statementOf(context, caller, query);

/** Of one instant: what is posted meanwhile is not half of it. */
export async function statementOf(
  { db, clock, terms, billingTimeZone: timeZone }: ServerContext,
  party: Party,
  query: Query<"readStatement">,
): Promise<Response<"readStatement">> {
  const now = clock.now();
  const asked = readPeriod(query, timeZone);
  const thisMonth = readPeriod({ month: monthOf(now, timeZone) }, timeZone);
  // Without a period it is the present month's; with an end alone it is from the beginning.
  const from = asked.from ?? (asked.to === null ? thisMonth.from : null) ?? new Date(0);
  const to = asked.to ?? new Date(Math.max(from.getTime(), now.getTime()));
  const { cursor, limit } = query;
  const which = {
    ...{ partyId: party.partyId, withOwnBooks: party.roles.includes("operator") },
    ...{ from, to, cursor, limit },
  };
  const { accounts, lines } = await transaction(
    db,
    async (tx) => ({
      accounts: await readStatementAccounts(tx, which),
      lines: await readStatementLines(tx, which),
    }),
    "repeatable read",
  );
  const transactionIds = [...new Set(lines.map(({ transactionId }) => transactionId))];
  return {
    party: { id: party.partyId, name: party.name },
    currency: terms.currency,
    timeZone,
    from: from.toISOString(),
    to: to.toISOString(),
    accounts: accounts.map(({ account, openingMicros, closingMicros }) => ({
      account,
      openingMicros: openingMicros.toString(),
      closingMicros: closingMicros.toString(),
    })),
    lines: lines.map(viewLine),
    nextCursor: transactionIds.length === limit ? (transactionIds.at(-1) ?? null) : null,
  };
}

function viewLine(line: StatementLine) {
  return {
    ...line,
    at: line.at.toISOString(),
    amountMicros: line.amountMicros.toString(),
    balanceMicros: line.balanceMicros.toString(),
  };
}
