import { getParty } from "../../party/store.ts";
import { statementOf } from "../client/read-statement.ts";
import { viewAccount } from "../client/show-account.ts";
import type { Handler } from "../handler.ts";

export const showPartyAccount: Handler<"showPartyAccount"> = async (context, { params }) => {
  const { kysely } = context.db;
  return viewAccount(context, kysely, await getParty(kysely, params.party));
};

export const readPartyStatement: Handler<"readPartyStatement"> = async (
  context,
  { params, query },
) => statementOf(context, await getParty(context.db.kysely, params.party), query);
