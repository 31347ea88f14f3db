import { deposit, payout, payouts, reverse, withdraw } from "./account-post.ts";
import { statement } from "./account-statement.ts";
import { creditLimit, fee } from "./account-terms.ts";
import { accountText } from "./account-text.ts";
import { connect } from "./connect.ts";
import { type VerbGroup, verb } from "./verb.ts";

const show = verb<{ party?: string }>({
  usage: "show [party]",
  summary: "Show balance, credit line, what is held for leases, what is free, what was earned.",
  examples: ["sublet account show", "sublet account show --as lender --json"],
  more: "Another party's account is shown to the operator.",
  run: async (context, { party }) => {
    const { client } = await connect(context);
    const account =
      party === undefined
        ? await client.call("showAccount")
        : await client.call("showPartyAccount", { params: { party } });
    return { json: account, text: accountText(context, account) };
  },
});

export const accountVerbs: VerbGroup = {
  name: "account",
  summary: "Balances, holds, earnings, statements; the operator posts what was paid",
  verbs: [show, statement, deposit, withdraw, reverse, creditLimit, payouts, payout, fee],
};
