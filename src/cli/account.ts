import { Option } from "commander";
import type { Response } from "../api/contract/contract.ts";
import { newId } from "../unit/id.ts";
import { parseMoneyMicros } from "../unit/money.ts";
import { connect } from "./connect.ts";
import { readId } from "./option/id.ts";
import { named } from "./option/quantity.ts";
import { facts } from "./output/table.ts";
import { money } from "./output/words.ts";
import { untilAnswered } from "./until-answered.ts";
import { type VerbGroup, verb } from "./verb.ts";

const show = verb({
  usage: "show",
  summary: "Show your balance, what is held for leases, what is free, what you earned.",
  examples: ["sublet account show", "sublet account show --as lender --json"],
  run: async (context) => {
    const { client } = await connect(context);
    const account = await client.call("showAccount");
    return { json: account, text: accountText(account) };
  },
});

const deposit = verb<{ party: string; amount: string; id?: string }>({
  usage: "deposit <party> <amount>",
  summary: "Post money received from a party (operator).",
  examples: ["sublet account deposit acme 25.00"],
  options: [
    new Option("--id <id>", "repeat a deposit whose answer was lost; the same id is posted once"),
  ],
  run: async (context, { party, amount, id }) => {
    const amountMicros = String(named("amount", () => parseMoneyMicros(amount)));
    const depositId =
      id === undefined
        ? newId("transaction", context.clock.now().getTime())
        : readId("transaction", id);
    const { client } = await connect(context);
    const account = await untilAnswered(
      context,
      () => client.call("deposit", { body: { depositId, party, amountMicros } }),
      { again: `sublet account deposit ${party} ${amount} --id ${depositId}`, id: depositId },
    );
    const text = `${money(amountMicros, account.currency)} deposited (${depositId})\n${accountText(account)}`;
    return { json: { depositId, account }, text };
  },
});

export const accountVerbs: VerbGroup = {
  name: "account",
  summary: "Balances, holds, earnings; the operator posts deposits",
  verbs: [show, deposit],
};

function accountText(account: Response<"showAccount">): string {
  const { currency } = account;
  return facts([
    ["party", account.party.name],
    ["balance", money(account.balanceMicros, currency)],
    ["held for leases", money(account.holdsMicros, currency)],
    ["credit limit", money(account.creditLimitMicros, currency)],
    ["free", money(account.freeMicros, currency)],
    ["earned", money(account.earningsMicros, currency)],
  ]);
}
