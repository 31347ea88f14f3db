import { Option } from "commander";
import type { Response } from "../api/contract/contract.ts";
import { parseMoneyMicros } from "../unit/money.ts";
import { InputError } from "../unit/quantity.ts";
import { accountText } from "./account-text.ts";
import { connect } from "./connect.ts";
import type { Context } from "./context.ts";
import { formatPercent, parsePercentPpm } from "./option/percent.ts";
import { named } from "./option/quantity.ts";
import { table } from "./output/table.ts";
import { instant, money } from "./output/words.ts";
import { verb } from "./verb.ts";

export const creditLimit = verb<{ party: string; amount: string }>({
  usage: "credit-limit <party> <amount>",
  summary: "Say how far below nothing a party may book (operator).",
  examples: ["sublet account credit-limit acme 50.00", "sublet account credit-limit acme 0"],
  more: "A lower line than is in use ends no lease; nothing new is booked until enough is free.",
  run: async (context, { party, amount }) => {
    const creditLimitMicros = String(named("amount", () => parseMoneyMicros(amount)));
    const { client } = await connect(context);
    const account = await client.call("setCreditLimit", {
      params: { party },
      body: { creditLimitMicros },
    });
    const said = `${account.party.name} may book until ${money(creditLimitMicros, account.currency)} below nothing`;
    return { json: account, text: `${said}\n${accountText(context, account)}` };
  },
});

interface FeeInput {
  readonly rate?: string;
  readonly lender?: string;
  readonly default?: true;
}

export const fee = verb<FeeInput>({
  usage: "fee [rate]",
  summary: "Show or change the operator's part of what lenders earn (operator).",
  examples: [
    "sublet account fee",
    "sublet account fee 2.5%",
    "sublet account fee 100bp --lender attic",
    "sublet account fee --lender attic --default",
  ],
  more: "A rate counts for what is booked from now on; leases that exist keep theirs.",
  options: [
    new Option("--lender <name>", "for this lender alone"),
    new Option("--default", "this lender has the rate of all again"),
  ],
  run: async (context, input) => {
    const change = readChange(input);
    const { client } = await connect(context);
    const fees =
      change === null
        ? await client.call("listFees")
        : await client.call("setFee", { body: change });
    return { json: fees, text: feesText(context, fees) };
  },
});

function readChange({ rate, lender = undefined, ...input }: FeeInput) {
  if (input.default) {
    if (rate !== undefined) throw new InputError("give either a rate or --default");
    if (lender === undefined) throw new InputError("--default needs --lender NAME");
    return { lender, feePpm: null };
  }
  if (rate !== undefined) {
    return { lender: lender ?? null, feePpm: named("rate", () => parsePercentPpm(rate)) };
  }
  if (lender !== undefined) throw new InputError("say the rate for this lender, like 2.5%");
  return null;
}

function feesText(context: Context, fees: Response<"listFees">): string {
  const rows = [
    ["(all others)", formatPercent(fees.feePpm), instant(fees.setAt)],
    ...fees.lenders.map((one) => [one.lender.name, formatPercent(one.feePpm), instant(one.setAt)]),
  ];
  return table(context, ["LENDER", "FEE", "SINCE"], rows);
}
