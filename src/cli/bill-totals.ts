import { Option } from "commander";
import { connect } from "./connect.ts";
import { moreText, type PageInput, pageOptions, pageQuery } from "./option/page.ts";
import { type PeriodInput, periodOptions, periodQuery } from "./option/period.ts";
import { table } from "./output/table.ts";
import { money } from "./output/words.ts";
import { verb } from "./verb.ts";

const BY = ["host", "lender", "client", "month"] as const;

interface TotalsInput extends PageInput, PeriodInput {
  readonly by: (typeof BY)[number];
}

export const billTotalsVerb = verb<TotalsInput>({
  usage: "totals",
  summary: "Add up bills per host, lender, client or month; the operator's are everybody's.",
  examples: [
    "sublet bill totals",
    "sublet bill totals --by month",
    "sublet bill totals --by client --month 2026-11",
  ],
  more: "A bill counts when the use that it is for began.",
  options: [
    new Option("--by <what>", "what they are added up by").choices(BY).default("host"),
    ...periodOptions(),
    ...pageOptions(),
  ],
  run: async (context, { by, ...input }) => {
    const { client } = await connect(context);
    const query = { by, ...pageQuery(input), ...periodQuery(input) };
    const found = await client.call("totalBills", { query });
    const rows = found.totals.map((one) => [
      ...(by === "host" ? [one.of.name, one.lender?.name ?? ""] : [one.of.name]),
      String(one.bills),
      money(one.totalMicros, found.currency),
      money(one.earningsMicros, found.currency),
      money(one.feeMicros, found.currency),
    ]);
    const headings = [
      ...(by === "host" ? ["HOST", "LENDER"] : [by.toUpperCase()]),
      ...["BILLS", "PAID BY CLIENTS", "EARNED", "FEE"],
    ];
    return { json: found, text: `${table(context, headings, rows)}${moreText(found.nextCursor)}` };
  },
});
