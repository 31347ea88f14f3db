import { Option } from "commander";
import type { Response } from "../api/contract/contract.ts";
import { newId, type TransactionId } from "../unit/id.ts";
import { parseMoneyMicros } from "../unit/money.ts";
import { accountText } from "./account-text.ts";
import { connect } from "./connect.ts";
import type { Context, Outcome } from "./context.ts";
import { readId } from "./option/id.ts";
import { moreText, type PageInput, pageOptions, pageQuery } from "./option/page.ts";
import { named, quantity } from "./option/quantity.ts";
import { table } from "./output/table.ts";
import { money } from "./output/words.ts";
import { untilAnswered } from "./until-answered.ts";
import { verb } from "./verb.ts";

interface PostInput {
  readonly party: string;
  readonly amount: string;
  readonly reference?: string;
  readonly id?: string;
}

const options = (what: string) => [
  new Option("--reference <text>", "what it is for, like the bank's reference"),
  new Option("--id <id>", `repeat a ${what} whose answer was lost; the same id is posted once`),
];

export const deposit = verb<PostInput>({
  usage: "deposit <party> <amount>",
  summary: "Post money received from a party (operator).",
  examples: [
    "sublet account deposit acme 25.00",
    'sublet account deposit acme 25.00 --reference "transfer of 22 November"',
  ],
  options: options("deposit"),
  run: (context, input) =>
    postAmount(context, input, { verb: "deposit", done: "deposited", id: "depositId" }),
});

export const withdraw = verb<PostInput>({
  usage: "withdraw <party> <amount>",
  summary: "Post money given back to a party, of what is free (operator).",
  examples: ["sublet account withdraw acme 5.00 --reference refund"],
  options: options("withdrawal"),
  run: (context, input) =>
    postAmount(context, input, { verb: "withdraw", done: "withdrawn", id: "withdrawalId" }),
});

export const payout = verb<PostInput>({
  usage: "payout <party> <amount>",
  summary: "Mark what a lender earned as paid to it (operator).",
  examples: ["sublet account payout attic 12.50 --reference transfer-117"],
  options: options("payout"),
  run: (context, input) =>
    postAmount(context, input, { verb: "payout", done: "paid out", id: "payoutId" }),
});

type Posting =
  | { readonly verb: "deposit"; readonly done: string; readonly id: "depositId" }
  | { readonly verb: "withdraw"; readonly done: string; readonly id: "withdrawalId" }
  | { readonly verb: "payout"; readonly done: string; readonly id: "payoutId" };

async function postAmount(
  context: Context,
  { party, amount, reference, id }: PostInput,
  posting: Posting,
): Promise<Outcome> {
  const amountMicros = String(named("amount", () => parseMoneyMicros(amount)));
  const transactionId = idOf(context, id);
  const sent = { party, amountMicros, ...(reference === undefined ? {} : { memo: reference }) };
  const { client } = await connect(context);
  const send = (): Promise<Response<"showAccount">> => {
    switch (posting.verb) {
      case "deposit":
        return client.call("deposit", { body: { depositId: transactionId, ...sent } });
      case "withdraw":
        return client.call("withdraw", { body: { withdrawalId: transactionId, ...sent } });
      case "payout":
        return client.call("payOut", { body: { payoutId: transactionId, ...sent } });
    }
  };
  const typed = `sublet account ${posting.verb} ${party} ${amount}`;
  const account = await untilAnswered(context, send, {
    again: `${typed}${referenceText(reference)} --id ${transactionId}`,
    id: transactionId,
  });
  const said = `${money(amountMicros, account.currency)} ${posting.done} (${transactionId})`;
  return {
    json: { [posting.id]: transactionId, account },
    text: `${said}\n${accountText(context, account)}`,
  };
}

export const reverse = verb<{ transaction: string; reference?: string; id?: string }>({
  usage: "reverse <transaction>",
  summary: "Take back a deposit, withdrawal or payout that was posted by mistake (operator).",
  examples: ['sublet account reverse transaction_01k9… --reference "typed for the wrong party"'],
  options: options("reversal"),
  run: async (context, { transaction, reference, id }) => {
    const transactionId = readId("transaction", transaction);
    const reversalId = idOf(context, id);
    const memo = reference === undefined ? {} : { memo: reference };
    const { client } = await connect(context);
    const typed = `sublet account reverse ${transactionId}${referenceText(reference)}`;
    const account = await untilAnswered(
      context,
      () => client.call("reverse", { body: { reversalId, transactionId, ...memo } }),
      { again: `${typed} --id ${reversalId}`, id: reversalId },
    );
    const text = `${transactionId} is reversed (${reversalId})\n${accountText(context, account)}`;
    return { json: { reversalId, account }, text };
  },
});

export const payouts = verb<PageInput & { min?: bigint }>({
  usage: "payouts",
  summary: "List the lenders to whom a payout is due (operator).",
  examples: ["sublet account payouts", "sublet account payouts --min 10.00"],
  options: [
    quantity("--min <amount>", "leave out what is less", parseMoneyMicros),
    ...pageOptions(),
  ],
  run: async (context, input) => {
    const { client } = await connect(context);
    const minimum = input.min === undefined ? {} : { minMicros: String(input.min) };
    const found = await client.call("listPayouts", { query: { ...pageQuery(input), ...minimum } });
    const rows = found.payouts.map((one) => [
      one.lender.name,
      money(one.earnedMicros, found.currency),
      money(one.paidOutMicros, found.currency),
      money(one.dueMicros, found.currency),
    ]);
    const listed = table(context, ["LENDER", "EARNED", "PAID OUT", "DUE"], rows);
    const text = rows.length > 0 ? listed : "nothing is due";
    return { json: found, text: `${text}${moreText(found.nextCursor)}` };
  },
});

function idOf({ clock }: Context, id: string | undefined): TransactionId {
  return id === undefined ? newId("transaction", clock.now().getTime()) : readId("transaction", id);
}

/** As a shell takes it. */
function referenceText(reference: string | undefined): string {
  return reference === undefined ? "" : ` --reference '${reference.replaceAll("'", "'\\''")}'`;
}
