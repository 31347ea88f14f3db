import { Option } from "commander";
import { statementCsv, statementText } from "./account-text.ts";
import { connect } from "./connect.ts";
import { moreText, type PageInput, pageOptions, pageQuery } from "./option/page.ts";
import { type PeriodInput, periodOptions, periodQuery } from "./option/period.ts";
import { verb } from "./verb.ts";

interface StatementInput extends PageInput, PeriodInput {
  readonly party?: string;
  readonly csv?: true;
}

export const statement = verb<StatementInput>({
  usage: "statement [party]",
  summary:
    "List what moved on your accounts, with the balance after each; of this month by default.",
  examples: [
    "sublet account statement",
    "sublet account statement --month 2026-11 --csv",
    "sublet account statement acme --from 2026-11-01 --to 2026-11-15",
  ],
  more: "Another party's statement is shown to the operator; an operator's own has what the server\nhas: cash, fees and rounding.",
  options: [
    ...periodOptions(),
    new Option("--csv", "its lines as comma-separated values"),
    ...pageOptions(),
  ],
  run: async (context, { party, csv, ...input }) => {
    const query = { ...pageQuery(input), ...periodQuery(input) };
    const { client } = await connect(context);
    const found =
      party === undefined
        ? await client.call("readStatement", { query })
        : await client.call("readPartyStatement", { params: { party }, query });
    if (!csv) {
      return { json: found, text: `${statementText(context, found)}${moreText(found.nextCursor)}` };
    }
    // Into a file it goes without a word of ours.
    if (found.nextCursor !== null) context.stderr.write(`${moreText(found.nextCursor).trim()}\n`);
    return { json: found, text: statementCsv(found) };
  },
});
